"""Payments, and what they do to the invoices and credit memos they are applied to."""

from __future__ import annotations

from decimal import Decimal

from simulator import limits
from simulator.amounts import ZERO, cents, dec, number
from simulator.company import SALES, Company
from simulator.currencies import currency_reference
from simulator.faults import ApiFault, business, fault, missing
from simulator.members import Object
from simulator.people import customer_reference
from simulator.references import put_reference, value_of
from simulator.sales import check_open


def save(company: Company, wanted: Object, old: Object | None) -> Object:
    """Create or update a payment, and move the balances of the documents on its lines.

    :raises ApiFault: what QuickBooks refuses.
    """
    members = dict(wanted)
    errors = limits.check("Payment", members)
    if value_of(members.get("CustomerRef")) is None:
        errors.append(missing("CustomerRef"))
    if "TotalAmt" not in members:
        errors.append(missing("TotalAmt"))
    if errors:
        raise ApiFault(*errors)
    customer, members["CustomerRef"] = customer_reference(
        company, value_of(members["CustomerRef"]) or "", kept=value_of((old or {}).get("CustomerRef"))
    )
    currency = customer["CurrencyRef"]["value"]
    sent = value_of(members.get("CurrencyRef"))
    if sent is not None and sent != currency:
        raise business(
            f"The currency of the transaction ({sent[:10]}) must be the currency of the customer ({currency})."
        )
    members["CurrencyRef"] = currency_reference(currency)
    members.setdefault("TxnDate", company.clock.today().isoformat() if old is None else old["TxnDate"])
    check_open(company, members["TxnDate"], old)
    for name in ("DepositToAccountRef", "ARAccountRef"):
        put_reference(company, members, name, "Account", old=old)
    total = cents(dec(members["TotalAmt"]))
    if total < 0:
        raise fault("2290", f"Negative Amount : {members['TotalAmt']}", "TotalAmt")
    before = applications(old)
    wanted_applications = _read_lines(company, members.get("Line", []), customer, before)
    used = sum((amount if kind == "Invoice" else -amount for (kind, _), amount in wanted_applications.items()), ZERO)
    if not ZERO <= used <= total:
        raise business("The amount applied cannot be more than the payment and the credits together.")
    members["Line"] = [
        {"Amount": number(amount), "LinkedTxn": [{"TxnId": identifier, "TxnType": kind}]}
        for (kind, identifier), amount in wanted_applications.items()
    ]
    members["TotalAmt"] = number(total)
    members["UnappliedAmt"] = number(total - used)
    members["ProcessPayment"] = False
    stored = company.insert("Payment", members) if old is None else company.replace("Payment", old, members)
    _apply(company, stored["Id"], before, wanted_applications)
    return stored


def void(company: Company, old: Object) -> Object:
    check_open(company, old["TxnDate"], old)
    before = applications(old)
    note = old.get("PrivateNote")
    members = {
        **old,
        "Line": [],
        "TotalAmt": 0,
        "UnappliedAmt": 0,
        "PrivateNote": note if note and note.startswith("Voided") else f"Voided - {note}" if note else "Voided",
    }
    stored = company.replace("Payment", old, members)
    _apply(company, old["Id"], before, {})
    return stored


def release(company: Company, payment: Object) -> None:
    """Before a payment is deleted: give the documents their balances back."""
    _apply(company, payment["Id"], applications(payment), {})


def unlink(company: Company, kind: str, document: Object) -> Object:
    """Take a document out of every payment on it; what they paid becomes unapplied. Returns the document as it is then."""
    for payment in list(company.tables["Payment"].values()):
        before = applications(payment)
        if (kind, document["Id"]) not in before:
            continue
        left = {key: amount for key, amount in before.items() if key != (kind, document["Id"])}
        used = sum((amount if one == "Invoice" else -amount for (one, _), amount in left.items()), ZERO)
        if used < 0:
            # Credits alone cannot stay applied to nothing.
            left, used = {key: amount for key, amount in left.items() if key[0] == "Invoice"}, ZERO
            used = sum(left.values(), ZERO)
        members = {
            **payment,
            "Line": [
                {"Amount": number(amount), "LinkedTxn": [{"TxnId": identifier, "TxnType": one}]}
                for (one, identifier), amount in left.items()
            ],
            "UnappliedAmt": number(max(dec(payment["TotalAmt"]) - used, ZERO)),
        }
        company.replace("Payment", payment, members)
        _apply(company, payment["Id"], before, left)
    return company.tables[kind][document["Id"]]


def apply_credit(company: Company, entity: str, new: Object) -> Object:
    """Apply the customer's credit as the AutoApplyCredit preference has it; returns the document as it is then.

    A new credit memo pays the open invoices, a new invoice is paid by the open credit memos, the oldest first.
    """
    other = "Invoice" if entity == "CreditMemo" else "CreditMemo"
    left = dec(new["Balance"])
    lines: list[Object] = []
    for document in list(company.tables[other].values()):
        if document["CustomerRef"]["value"] != new["CustomerRef"]["value"] or not left:
            continue
        amount = min(left, dec(document["Balance"]))
        if amount > 0:
            lines.append({"Amount": number(amount), "LinkedTxn": [{"TxnId": document["Id"], "TxnType": other}]})
            left -= amount
    used = dec(new["Balance"]) - left
    if used:
        lines.append({"Amount": number(used), "LinkedTxn": [{"TxnId": new["Id"], "TxnType": entity}]})
        save(company, {"CustomerRef": {"value": new["CustomerRef"]["value"]}, "TotalAmt": 0, "Line": lines}, None)
    return company.tables[entity][new["Id"]]


def applications(payment: Object | None) -> dict[tuple[str, str], Decimal]:
    """(kind, Id) of each document the payment is applied to → the amount."""
    found: dict[tuple[str, str], Decimal] = {}
    for line in (payment or {}).get("Line", []):
        for link in line.get("LinkedTxn", []):
            found[(link["TxnType"], link["TxnId"])] = dec(line["Amount"])
    return found


def _read_lines(
    company: Company, lines: list[Object], customer: Object, before: dict[tuple[str, str], Decimal]
) -> dict[tuple[str, str], Decimal]:
    family = _family(company, customer)
    found: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        if "Amount" not in line:
            raise ApiFault(missing("Line.Amount"))
        links = line.get("LinkedTxn", [])
        if len(links) != 1:
            raise fault(
                "620", "Transaction cannot be linked : A payment line names exactly one transaction", "LinkedTxn"
            )
        kind, identifier = str(links[0].get("TxnType", "")), str(links[0].get("TxnId", ""))
        document = company.get(kind, identifier) if kind in SALES else None
        if document is None or document["CustomerRef"]["value"] not in family:
            raise fault("620", f"Transaction cannot be linked : {kind[:30]} {identifier[:30]}", "LinkedTxn")
        amount = cents(dec(line["Amount"]))
        if amount < 0 or (kind, identifier) in found:
            raise fault("620", f"Transaction cannot be linked : {kind} {identifier} with {amount}", "LinkedTxn")
        open_amount = dec(document["Balance"]) + before.get((kind, identifier), ZERO)
        if amount > open_amount:
            raise business(f"The amount applied to {kind} {identifier} is more than its open balance of {open_amount}.")
        found[(kind, identifier)] = amount
    return found


def _family(company: Company, customer: Object) -> set[str]:
    """The customer with everyone above and below it: they may pay for each other."""
    top = customer
    while (above := value_of(top.get("ParentRef"))) is not None:
        top = company.tables["Customer"][above]
    family, waiting = set(), [top["Id"]]
    while waiting:
        one = waiting.pop()
        family.add(one)
        waiting += [child["Id"] for child in company.children(one)]
    return family


def _apply(
    company: Company,
    payment: str,
    before: dict[tuple[str, str], Decimal],
    after: dict[tuple[str, str], Decimal],
) -> None:
    for kind, identifier in {**before, **after}:
        document = company.tables[kind][identifier]
        was, will = before.get((kind, identifier)), after.get((kind, identifier))
        if was == will:
            continue
        balance = dec(document["Balance"]) + (was or ZERO) - (will or ZERO)
        links = [link for link in document.get("LinkedTxn", []) if link["TxnId"] != payment]
        if will is not None:
            links.append({"TxnId": payment, "TxnType": "Payment"})
        members = {**document, "Balance": number(balance), "LinkedTxn": links}
        if kind == "CreditMemo":
            members["RemainingCredit"] = members["Balance"]
        if "HomeBalance" in document:
            members["HomeBalance"] = number(cents(balance * dec(document["ExchangeRate"])))
        company.replace(kind, document, members)
