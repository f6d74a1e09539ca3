"""A Kompass invoice becomes a QBO Invoice, a credit note a CreditMemo with positive amounts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mapping import problems
from mapping.case import billing_client
from mapping.lines import MAX_LINES, map_lines
from mapping.members import CUSTOM_VALUE, DOC_NUMBER, MEMO, PRIVATE_NOTE, Draft, ref
from mapping.money import decimals, fits, is_too_large
from mapping.results import Mapped
from mapping.tax import Regime, map_tax, regime
from mapping.usa_tax import map_usa_tax
from schemas.company import CompanyFacts, Configuration
from schemas.events import Invoice, InvoiceLine, InvoiceType

NUMBER_FIELD = "DocNumber Template"
MAX_CUSTOM_FIELDS = 3
"""QBO's classic custom fields of a sales form."""


def mark(invoice: Invoice) -> str:
    """Names the Kompass record inside PrivateNote, by which an object can be known for ours: stable and unique."""
    return f"Kompass invoice {invoice.id} ({invoice.reference})"


_MARK = re.compile(r"Kompass invoice (\S+) \(")


def marked_id(note: str) -> str | None:
    """Give the Kompass id that a PrivateNote names; None when the document is not ours."""
    found = _MARK.search(note)
    return None if found is None else found[1]


def map_invoice(invoice: Invoice, configuration: Configuration, facts: CompanyFacts, *, customer_id: str) -> Mapped:
    """The Invoice or CreditMemo for ``invoice``, as `docs/fields.md` lists it.

    :param customer_id: the QBO Id of the customer or job that `mapping.case.needed_party` names.
    :raises Unmappable: with every problem of the record.
    """
    credit = invoice.type is InvoiceType.CREDIT_NOTE
    sign = -1 if credit else 1
    draft = Draft(problems.label(invoice))
    payer = billing_client(invoice)
    variables = {
        "invoice": invoice,
        "project": invoice.project,
        "client": invoice.client,
        "billing_client": payer,
        "org": invoice.org,
    }
    lines = sorted(invoice.lines, key=lambda line: line.position)
    _check_amounts(draft, invoice, lines, sign=sign)

    number = _number(draft, configuration, facts, variables)
    draft.put("DocNumber", number)
    draft.put("CustomerRef", ref(customer_id))
    draft.put("TxnDate", invoice.date.isoformat())
    if not credit:
        draft.put("DueDate", invoice.due_date.isoformat())
    draft.currency(invoice.currency, home=facts.home_currency, multicurrency=facts.multicurrency)
    draft.put("PrivateNote", draft.text("PrivateNote", _note(invoice), PRIVATE_NOTE, source="the note", multiline=True))
    memo = draft.text("CustomerMemo", invoice.details, MEMO, source="the details", multiline=True)
    draft.put("CustomerMemo", None if memo is None else {"value": memo})
    whose = f"of {problems.quoted(payer.name)}"
    email, source = payer.accounts_email, f"the accounts email {whose}"
    if not (email and email.strip()):
        email, source = payer.email, f"the email {whose}"
    draft.put("BillEmail", draft.email("BillEmail", email, source=source))
    draft.put(
        "BillAddr",
        draft.address("BillAddr", payer.address, source=f"the address {whose}", addressee=payer.name),
    )
    draft.put("CustomField", _custom_fields(draft, configuration, facts, variables) or None)
    made = map_lines(draft, lines, configuration, facts, sign=sign)
    if regime(configuration, facts) is Regime.NO_CODES:
        tax_line = map_usa_tax(draft, invoice, configuration, facts, lines=len(made))
        made += [] if tax_line is None else [tax_line]
    else:
        map_tax(draft, invoice, lines, made, configuration, facts)
    draft.put("Line", made)
    payload, choices = draft.settle()
    return Mapped("CreditMemo" if credit else "Invoice", payload, number, choices, draft.left_out)


def _number(
    draft: Draft, configuration: Configuration, facts: CompanyFacts, variables: Mapping[str, object]
) -> str | None:
    if not facts.custom_numbers:
        draft.choose("DocNumber", "", "Left out: the company numbers its own documents")
        return None
    template = configuration.doc_number_template
    made = draft.rendered(template, variables, field=NUMBER_FIELD)
    if made is None:
        return None
    if not made:
        draft.refuse(problems.empty_result(draft.record, member="DocNumber", field=NUMBER_FIELD, template=template))
        return None
    draft.choose("DocNumber", made, f"{NUMBER_FIELD} {template}")
    return draft.text("DocNumber", made, DOC_NUMBER, source=f"what the {NUMBER_FIELD} gives")


def _note(invoice: Invoice) -> str:
    parts = [mark(invoice)]
    if invoice.project is not None:
        parts.append(f"Project {invoice.project.reference} {invoice.project.name}")
    if invoice.sales_order is not None:
        parts.append(f"Sales Order {invoice.sales_order.reference}")
    return "\n".join(parts)


def _custom_fields(
    draft: Draft, configuration: Configuration, facts: CompanyFacts, variables: Mapping[str, object]
) -> list[dict[str, object]]:
    fields = configuration.custom_fields
    if len(fields) > MAX_CUSTOM_FIELDS:
        draft.refuse(problems.too_many_custom_fields(draft.record, count=len(fields), limit=MAX_CUSTOM_FIELDS))
    names: dict[str, list[str]] = defaultdict(list)
    made: list[dict[str, object]] = []
    for custom in fields:
        names[custom.definition_id].append(custom.name)
        if facts.custom_fields and custom.definition_id not in facts.custom_fields:
            draft.refuse(
                problems.custom_field_unknown(draft.record, definition_id=custom.definition_id, name=custom.name)
            )
            continue
        source = f"Custom Field {problems.quoted(custom.name)}"
        rendered = draft.rendered(custom.template, variables, field=source)
        value = draft.text(f"CustomField[{custom.name}]", rendered, CUSTOM_VALUE, source=f"what {source} gives")
        if value is not None:
            made.append({"DefinitionId": custom.definition_id, "Type": "StringType", "StringValue": value})
            draft.choose(f"CustomField[{custom.name}]", value, f"{source} {custom.template}")
    for definition_id, rows in names.items():
        if len(rows) > 1:
            draft.refuse(problems.custom_field_twice(draft.record, definition_id=definition_id, names=rows))
    return made


def _check_amounts(draft: Draft, invoice: Invoice, lines: Sequence[InvoiceLine], *, sign: int) -> None:
    record = draft.record
    if not lines:
        draft.refuse(problems.no_lines(record))
    if len(lines) > MAX_LINES:
        draft.refuse(problems.too_many_lines(record, count=len(lines), limit=MAX_LINES, what="lines"))
    allowed = decimals(invoice.currency)
    for where, amount in _amounts(invoice, lines):
        if not fits(amount, allowed):
            draft.refuse(
                problems.amount_too_fine(
                    record, where=where, amount=amount, currency=invoice.currency, decimals=allowed
                )
            )
        elif is_too_large(amount):
            draft.refuse(problems.amount_too_large(record, where=where, amount=amount))
    net = sum((line.amount_net for line in lines), Decimal(0))
    vat = sum((line.amount_vat for line in lines), Decimal(0))
    for what, parts, whole, parts_name in (
        ("net", net, invoice.amount_net, "the net amounts of its lines"),
        ("VAT", vat, invoice.amount_vat, "the VAT amounts of its lines"),
        ("gross", invoice.amount_net + invoice.amount_vat, invoice.amount_gross, "its net and VAT amounts"),
    ):
        if parts != whole and (lines or what == "gross"):
            draft.refuse(problems.does_not_add_up(record, what=what, parts=parts, whole=whole, parts_name=parts_name))
    if sign * invoice.amount_gross < 0 or sign * invoice.amount_net < 0:
        total = min((invoice.amount_gross, invoice.amount_net), key=lambda amount: sign * amount)
        draft.refuse(problems.negative_total(record, kind=invoice.type, amount=total))


def _amounts(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[tuple[str, Decimal]]:
    found = [
        ("net amount", invoice.amount_net),
        ("VAT amount", invoice.amount_vat),
        ("gross amount", invoice.amount_gross),
    ]
    for number, line in enumerate(lines, start=1):
        found += [(f"net amount of line {number}", line.amount_net), (f"VAT amount of line {number}", line.amount_vat)]
    return found
