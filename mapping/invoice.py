"""A Kompass invoice becomes a QBO Invoice, a credit note a CreditMemo with positive amounts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mapping import problems
from mapping.case import billing_client
from mapping.members import CUSTOM_VALUE, DESCRIPTION, DOC_NUMBER, MEMO, PRIVATE_NOTE, Draft, ref
from mapping.money import FRACTION_DIGITS, cents, decimals, fits, half_up, is_too_large, plain
from mapping.results import Mapped
from mapping.tax import map_tax
from schemas.company import CompanyFacts, Configuration
from schemas.events import Invoice, InvoiceLine, InvoiceType, QuoteItem, Service

NUMBER_FIELD = "DocNumber Template"
MAX_CUSTOM_FIELDS = 3
"""QBO's classic custom fields of a sales form."""
MAX_LINES = 10_000
"""Intuit's limit of lines in a transaction."""


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
    made = _map_lines(draft, lines, configuration, facts, sign=sign)
    made += map_tax(draft, invoice, lines, made, configuration, facts)
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


# --- Lines: item, class, quantity, price and description of each, with the reason for every choice


def _map_lines(
    draft: Draft,
    lines: Sequence[InvoiceLine],
    configuration: Configuration,
    facts: CompanyFacts,
    *,
    sign: int,
) -> list[dict[str, object]]:
    """QBO's lines in the order of ``lines``, their tax codes not yet in them.

    :param sign: -1 for a credit note, whose amounts are positive in QBO.
    """
    made: list[dict[str, object]] = []
    no_item: dict[str, tuple[Service | None, QuoteItem, list[int]]] = {}
    for number, line in enumerate(lines, start=1):
        detail: dict[str, object] = {}
        item, reason = _item(line, configuration)
        if item is None:
            key = "" if line.service is None else line.service.id
            no_item.setdefault(key, (line.service, line.quote_item, []))[2].append(number)
        else:
            detail["ItemRef"] = ref(item)
            draft.choose(f"Line[{number}].ItemRef", item, reason)
        shown = _quantity(line, sign=sign)
        if shown is not None:
            detail["Qty"], detail["UnitPrice"] = shown
        elif line.quantity is not None and line.unit_price is not None:
            draft.choose(
                f"Line[{number}].Amount",
                str(sign * line.amount_net),
                f"Stands alone: {problems.number(line.quantity)} × {problems.number(line.unit_price)} is not this",
            )
        entry: dict[str, object] = {"LineNum": number}
        description = draft.text(
            "Description",
            _description(line, shown, sign=sign),
            DESCRIPTION,
            source=f"the description of line {number}",
            multiline=True,
        )
        if description is not None:
            entry["Description"] = description
        entry["Amount"] = cents(sign * line.amount_net)
        entry["DetailType"] = "SalesItemLineDetail"
        entry["SalesItemLineDetail"] = detail
        made.append(entry)
    for service, quote_item, positions in no_item.values():
        draft.refuse(problems.no_item(draft.record, service=service, quote_item=quote_item, positions=positions))
    _put_classes(draft, lines, made, configuration, facts)
    return made


def _item(line: InvoiceLine, configuration: Configuration) -> tuple[str | None, str]:
    default = configuration.default_item_id or None
    if line.service is None:
        return default, "Default Item ID: the quote item has no Service"
    mapped = configuration.item_services.get(line.service.id)
    name = problems.quoted(line.service.name)
    if mapped is not None:
        return mapped.item_id, f"Item Service of {name}"
    return default, f"Default Item ID: Service {name} has no Item Service"


def _class(line: InvoiceLine, configuration: Configuration) -> tuple[str | None, str]:
    """Item Service's Class → Department's Class → Default Class ID → none."""
    if line.service is not None:
        mapped = configuration.item_services.get(line.service.id)
        if mapped is not None and mapped.class_id:
            return mapped.class_id, f"Class of the Item Service of {problems.quoted(line.service.name)}"
        department = line.service.department
        if department is not None and (class_id := configuration.department_classes.get(department.id)):
            return class_id, f"Class of Department {problems.quoted(department.name)}"
    if configuration.default_class_id:
        return configuration.default_class_id, "Default Class ID"
    return None, "No Class is configured for it"


def _put_classes(
    draft: Draft,
    lines: Sequence[InvoiceLine],
    made: Sequence[dict[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> None:
    classes = [_class(line, configuration) for line in lines]
    distinct = {class_id for class_id, _ in classes}
    if distinct <= {None}:
        return
    if facts.class_per_line:
        for number, (entry, (class_id, reason)) in enumerate(zip(made, classes, strict=True), start=1):
            if class_id is not None:
                detail = entry["SalesItemLineDetail"]
                assert isinstance(detail, dict)
                detail["ClassRef"] = ref(class_id)
            draft.choose(f"Line[{number}].ClassRef", class_id or "", reason)
    elif not facts.class_per_transaction:
        draft.choose("ClassRef", "", "Left out: the company does not track classes")
    elif len(distinct) > 1:
        differ = "the company tracks one class per transaction, and the lines differ"
        if configuration.default_class_id:
            draft.put("ClassRef", ref(configuration.default_class_id))
            draft.choose("ClassRef", configuration.default_class_id, f"Default Class ID: {differ}")
        else:
            draft.choose("ClassRef", "", f"Left out: {differ}, and there is no Default Class ID")
    else:
        class_id, reason = classes[0]
        draft.put("ClassRef", ref(class_id or ""))
        draft.choose(
            "ClassRef", class_id or "", f"{reason}; all lines agree, and the company tracks one per transaction"
        )


def _quantity(line: InvoiceLine, *, sign: int) -> tuple[Decimal, Decimal] | None:
    """Qty and UnitPrice when, half-up to the cent, they come to the line's amount; else None.

    QBO checks the product (fault 6070) without saying how it rounds a negative tie, so such a pair is not sent either.
    """
    quantity, price = line.quantity, line.unit_price
    if quantity is None or price is None or not quantity or is_too_large(quantity) or is_too_large(price):
        return None
    if not (fits(quantity, FRACTION_DIGITS) and fits(price, FRACTION_DIGITS)):
        return None
    amount = sign * line.amount_net
    product = quantity * price
    if sign < 0 and half_up(product) != amount:
        # A credit note may count its units as negative; one that counts them as positive is right already.
        quantity, product = -quantity, -product
    if half_up(product) != amount or (quantity < 0 and price < 0):
        return None
    if product < 0 and (product * 1000) % 10 == -5:
        return None
    return plain(quantity), plain(price)


def _description(line: InvoiceLine, shown: tuple[Decimal, Decimal] | None, *, sign: int) -> str:
    """The quote item, the line's own text, and what of the item is billed: ``35 % of 10,000.00``."""
    name = line.quote_item.name.strip()
    own = (line.description or "").strip()
    parts = [name] if name and not own.startswith(name) else []
    if own:
        parts.append(own)
    if line.percentage is not None and line.quote_item.price is not None:
        percentage = sign * line.percentage if line.percentage < 0 else line.percentage
        parts.append(f"{problems.number(percentage)} % of {problems.money(line.quote_item.price)}")
    elif shown is not None and line.unit and line.unit.strip():
        parts.append(f"{problems.number(shown[0])} {line.unit.strip()} at {problems.money(shown[1])}")
    return "\n".join(parts)
