"""Invoices and credit memos: everything QuickBooks checks and fills in before it books one."""

from __future__ import annotations

from simulator import limits
from simulator.amounts import ZERO, cents, dec, number
from simulator.clock import add_days
from simulator.company import SALES, Company
from simulator.currencies import currency_reference, omitted_rate
from simulator.custom_fields import put_custom_fields
from simulator.document_tax import any_taxed, discounts, put_codes, tax_basis, tax_document
from simulator.faults import CLOSED_SENTENCE, ApiFault, FaultError, business, error, fault, missing
from simulator.lines import (
    GROUP,
    SALES_LINE,
    SUBTOTAL,
    Selling,
    number_lines,
    put_class,
    read,
    subtotal_line,
)
from simulator.members import Object
from simulator.people import customer_reference
from simulator.references import put_reference, value_of
from simulator.shapes import fill_document, number_addresses
from simulator.transient import period_closed

MAXIMUM_TAXABLE_LINES = 750
# Sent along, they are left out of the answer (documented; recorded: flowlink/quickbooks_integration).
_NOT_ON_CREDIT_MEMO = ("DueDate", "Deposit", "DepositToAccountRef", "PaymentMethodRef")


def save(
    company: Company, entity: str, wanted: Object, old: Object | None, *, allow_duplicate_number: bool = False
) -> Object:
    """Create or update an invoice or a credit memo from the members it is to have.

    :raises ApiFault: what QuickBooks refuses.
    """
    members = dict(wanted)
    _required(company, entity, members)
    customer, members["CustomerRef"] = customer_reference(
        company, value_of(members["CustomerRef"]) or "", kept=value_of((old or {}).get("CustomerRef"))
    )
    _same_customer(members, old)
    _currency(company, members, customer)
    _dates(company, entity, members, customer, old)
    _exchange_rate(company, members, old)
    check_open(company, members["TxnDate"], old)
    _references(company, members, old)
    put_custom_fields(company, members)
    _lines_and_tax(company, members, customer, old)
    fill_document(entity, members)
    _delivery(members)
    for name in ("BillAddr", "ShipAddr"):
        if old is None and name not in members and name in customer:
            members[name] = customer[name]
    number_addresses(company, members, old, customer=customer)
    _balance(company, entity, members, old)
    # Last, so that a refused document takes no number.
    _number(company, entity, members, old, allow_duplicate_number=allow_duplicate_number)
    if old is None:
        stored = company.insert(entity, members)
        company.line_counters[stored["Id"]] = sum(1 for line in stored["Line"] if "Id" in line)
        return stored
    return company.replace(entity, old, members)


def void(company: Company, entity: str, old: Object) -> Object:
    """Everything to zero, the lines kept, "Voided" before the private note. A void one stays as it is."""
    check_open(company, old["TxnDate"], old)
    if old.get("PrivateNote", "").startswith("Voided") and not dec(old["TotalAmt"]):
        return old
    note = old.get("PrivateNote")
    members = {
        **old,
        "Line": [_emptied(line) for line in old["Line"]],
        "TotalAmt": 0,
        "Balance": 0,
        "Deposit": 0 if "Deposit" in old else None,
        "PrivateNote": f"Voided - {note}" if note else "Voided",
        "LinkedTxn": [],
    }
    if "TxnTaxDetail" in old:
        members["TxnTaxDetail"] = {"TotalTax": 0}
    for name in ("HomeTotalAmt", "HomeBalance"):
        if name in old:
            members[name] = 0
    return company.replace(entity, old, members)


def _emptied(line: Object) -> Object:
    emptied = {**line, "Amount": 0} if "Amount" in line else dict(line)
    if SALES_LINE in line:
        detail = {key: value for key, value in line[SALES_LINE].items() if key not in ("UnitPrice", "TaxInclusiveAmt")}
        if "Qty" in detail:
            detail["Qty"] = 0
        emptied[SALES_LINE] = detail
    if GROUP in line:
        emptied[GROUP] = {**line[GROUP], "Line": [_emptied(part) for part in line[GROUP]["Line"]]}
    return emptied


def check_open(company: Company, day: str, old: Object | None) -> None:
    """:raises ApiFault: 6210 (or as switched) when the books are closed on the document's day, old or new."""
    closed = company.close_date
    if closed is not None and (day <= closed or (old is not None and old["TxnDate"] <= closed)):
        code = company.settings.closed_period_code
        raise period_closed() if code == "5010" else fault(code, CLOSED_SENTENCE)


def _required(company: Company, entity: str, members: Object) -> None:
    errors: list[FaultError] = limits.check(entity, members)
    if value_of(members.get("CustomerRef")) is None:
        errors.append(missing("CustomerRef"))
    if not [line for line in members.get("Line", []) if line.get("DetailType") != SUBTOTAL]:
        errors.append(missing("Line"))
    if errors:
        raise ApiFault(*errors)


def _same_customer(members: Object, old: Object | None) -> None:
    """:raises ApiFault: 6000 for another customer on a document with a payment or a credit applied: those are the first one's."""
    if old is not None and old.get("LinkedTxn") and members["CustomerRef"]["value"] != old["CustomerRef"]["value"]:
        raise business("The customer of a transaction with payments applied to it cannot be changed.")


def _currency(company: Company, members: Object, customer: Object) -> None:
    home = company.profile.home_currency
    owed_in = customer["CurrencyRef"]["value"]
    sent = value_of(members.get("CurrencyRef"))
    rule = company.settings.currency_ref_required
    if sent is None and company.multicurrency and (rule == "always" or (rule == "foreign" and owed_in != home)):
        raise ApiFault(missing("CurrencyRef"))
    if sent is not None and sent != home and not company.multicurrency:
        raise business("Multicurrency must be turned on to use a currency other than the home currency.")
    if sent is not None and sent != owed_in:
        raise business(
            f"The currency of the transaction ({sent[:10]}) must be the currency of the customer ({owed_in})."
        )
    members["CurrencyRef"] = currency_reference(owed_in)


def _exchange_rate(company: Company, members: Object, old: Object | None) -> None:
    currency = members["CurrencyRef"]["value"]
    if not company.multicurrency:
        members.pop("ExchangeRate", None)
    elif currency == company.profile.home_currency:
        members["ExchangeRate"] = 1
    elif dec(members.get("ExchangeRate")) < 0:
        raise fault("2090", f"Invalid Number : {members['ExchangeRate']}", "ExchangeRate")
    elif not dec(members.get("ExchangeRate")):
        kept = (old or {}).get("ExchangeRate")
        members["ExchangeRate"] = kept or number(omitted_rate(company, currency, members["TxnDate"]))


def _dates(company: Company, entity: str, members: Object, customer: Object, old: Object | None) -> None:
    members.setdefault("TxnDate", company.clock.today().isoformat() if old is None else old["TxnDate"])
    if entity == "CreditMemo":
        for name in _NOT_ON_CREDIT_MEMO:
            members.pop(name, None)
        put_reference(company, members, "SalesTermRef", "Term", old=old)
        return
    if "SalesTermRef" not in members and old is None and "SalesTermRef" in customer:
        members["SalesTermRef"] = customer["SalesTermRef"]
    put_reference(company, members, "SalesTermRef", "Term", old=old)
    if "DueDate" not in members:
        # The company's default term counts, and is not shown (recorded response, create/invoice).
        default = value_of(company.preference("SalesFormsPrefs", "DefaultTerms"))
        term = company.get("Term", value_of(members.get("SalesTermRef")) or default or "")
        members["DueDate"] = add_days(members["TxnDate"], int((term or {}).get("DueDays", 0)))


def _references(company: Company, members: Object, old: Object | None) -> None:
    put_class(company, members, old, allowed=bool(company.preference("AccountingInfoPrefs", "ClassTrackingPerTxn")))
    if not company.preference("AccountingInfoPrefs", "TrackDepartments"):
        members.pop("DepartmentRef", None)
    put_reference(company, members, "DepartmentRef", "Department", old=old)
    for name in ("DepositToAccountRef", "ARAccountRef"):
        put_reference(company, members, name, "Account", old=old)
    project = value_of(members.get("ProjectRef"))
    if project is not None:
        raise fault("2500", f"Invalid Reference Id : ProjectRef element id {project} not found", "Reference Id")


def _lines_and_tax(company: Company, members: Object, customer: Object, old: Object | None) -> None:
    basis = tax_basis(company, members)
    selling = Selling(company=company, day=members["TxnDate"], inclusive=basis == "TaxInclusive")
    lines = read(selling, members.pop("Line"), old)
    sales = [part for line in lines for part in line.sales]
    taxed = company.using_tax and basis != "NotApplicable"
    put_codes(company, sales, taxed=taxed)
    if (
        taxed
        and len(sales) > MAXIMUM_TAXABLE_LINES
        and (company.settings.line_limit == "any" or any_taxed(company, sales))
    ):
        raise business(f"A taxable transaction can have at most {MAXIMUM_TAXABLE_LINES} lines. Supplied:{len(sales):,}")
    total_tax = tax_document(company, members, customer, lines, basis)
    for line in lines:
        line.sum_up()
    subtotal = sum((line.amount for line in sales), ZERO)
    total = subtotal - discounts(lines, subtotal) + total_tax
    if total < 0:
        code = company.settings.negative_total_code
        sentence = "Transaction amount must be positive"
        raise business(f"{sentence}.") if code == "6000" else fault(code, sentence, "TotalAmt")
    members["Line"] = [*number_lines(company, None if old is None else old["Id"], lines, old), subtotal_line(subtotal)]
    members["TotalAmt"] = number(total)


def _number(
    company: Company, entity: str, members: Object, old: Object | None, *, allow_duplicate_number: bool
) -> None:
    if not company.custom_numbers:
        if old is None:
            company.profile.last_number += 1
            members["DocNumber"] = str(company.profile.last_number)
        else:
            members.setdefault("DocNumber", old.get("DocNumber"))
        return
    wanted = members.get("DocNumber")
    if wanted is None or allow_duplicate_number or not company.profile.warn_duplicate_numbers:
        return
    kinds = SALES if company.settings.docnumber_scope == "sales" else (entity,)
    for kind in kinds:
        for identifier in company.documents(kind, wanted):
            if company.tables[kind][identifier]["DocNumber"] != wanted:
                continue
            if old is None or (kind, identifier) != (entity, old["Id"]):
                raise ApiFault(
                    error(
                        "6140",
                        "Duplicate Document Number Error : You must specify a different number. This number has already "
                        f"been used. DocNumber={wanted} is assigned to TxnType={kind} with TxnId={identifier}",
                        "",
                    )
                )


def _delivery(members: Object) -> None:
    if members["EmailStatus"] == "NeedToSend" and not members.get("BillEmail", {}).get("Address"):
        raise fault("6420", "Email address is required for delivery : BillEmail must be given", "BillEmail")


def _balance(company: Company, entity: str, members: Object, old: Object | None) -> None:
    linked = (old or {}).get("LinkedTxn", [])
    applied = ZERO if old is None else dec(old["TotalAmt"]) - dec(old.get("Deposit")) - dec(old.get("Balance"))
    total = dec(members["TotalAmt"])
    deposit = cents(dec(members.get("Deposit")))
    if deposit < 0 or (deposit and not company.preference("SalesFormsPrefs", "AllowDeposit")):
        raise business("A deposit cannot be taken on this transaction.")
    if applied + deposit > total:
        raise business("The amount cannot be less than what has already been applied to it.")
    members["LinkedTxn"] = linked
    balance = total - deposit - applied
    members["Balance"] = number(balance)
    if entity == "CreditMemo":
        members["RemainingCredit"] = members["Balance"]
    if company.multicurrency:
        rate = dec(members["ExchangeRate"])
        members["HomeTotalAmt"] = number(cents(total * rate))
        if entity == "Invoice":
            members["HomeBalance"] = number(cents(balance * rate))
