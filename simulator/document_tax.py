"""The tax of a whole document: its basis, its codes, its entries, and what the sender may say of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from simulator import tax, tax_overrides
from simulator.amounts import HUNDRED, ZERO, cents, dec, number
from simulator.company import Company
from simulator.currencies import unit
from simulator.faults import fault
from simulator.lines import DISCOUNT, DocumentLine
from simulator.members import Object
from simulator.references import value_of
from simulator.tax import Rounding


def forget_stale_tax(wanted: Object, payload: Object) -> None:
    """In a sparse update that changes what tax depends on, without saying anything of tax, the old amounts go."""
    changes = ("Line", "TxnDate", "GlobalTaxCalculation", "CustomerRef", "ShipAddr")
    if payload.get("sparse") is not True or payload.get("TxnTaxDetail") or not any(name in payload for name in changes):
        return
    detail = wanted.pop("TxnTaxDetail", {})
    if "TxnTaxCodeRef" in detail:
        wanted["TxnTaxDetail"] = {"TxnTaxCodeRef": detail["TxnTaxCodeRef"]}


def tax_basis(company: Company, members: Object) -> str:
    """How the amounts stand to their tax: TaxExcluded, TaxInclusive or NotApplicable; stored with the document.

    :raises ApiFault: 6170 for tax on a document that has none.
    """
    if company.american:
        members.pop("GlobalTaxCalculation", None)
        return "TaxExcluded"
    if not company.using_tax:
        members["GlobalTaxCalculation"] = "NotApplicable"
    basis = str(members.setdefault("GlobalTaxCalculation", "TaxExcluded"))
    detail = members.get("TxnTaxDetail") or {}
    if basis == "NotApplicable" and company.using_tax and (detail.get("TaxLine") or dec(detail.get("TotalTax"))):
        raise fault("6170", "TxnTaxDetail cannot be given when GlobalTaxCalculation is NotApplicable", "TxnTaxDetail")
    return basis


def put_codes(company: Company, sales: list[DocumentLine], *, taxed: bool) -> None:
    """Give each line the tax code it is stored with."""
    by_item = company.settings.automated_tax_line == "item" and company.preference("TaxPrefs", "PartnerTaxEnabled")
    for line in sales:
        if by_item and company.american and line.code is None:
            item = company.get("Item", line.detail["ItemRef"]["value"])
            line.code = "TAX" if item and item.get("Taxable") else None
        line.code = tax.line_code(company, line.code, taxed=taxed)
        line.detail.pop("TaxCodeRef", None)
        if line.code is not None:
            line.detail["TaxCodeRef"] = {"value": line.code}


def any_taxed(company: Company, sales: list[DocumentLine]) -> bool:
    """Whether a line has a code that is taxable (a rate of zero counts)."""
    return any((company.get("TaxCode", line.code or "") or {}).get("Taxable") for line in sales)


def tax_document(company: Company, members: Object, customer: Object, lines: list[DocumentLine], basis: str) -> Decimal:
    """Work out the tax and store it as `TxnTaxDetail`; tax-inclusive lines get their net. Returns the total tax."""
    sent = members.pop("TxnTaxDetail", {})
    if not company.using_tax:
        return ZERO
    sales = [part for line in lines for part in line.sales]
    code: str | None = None
    if company.american:
        entries, code = _american_tax(company, members, customer, sales, lines, sent)
    else:
        entries = _value_added_tax(company, basis, members, sales, lines)
    entries = tax_overrides.overridden(company, entries, sent, applies=basis != "NotApplicable")
    total = sum((entry.tax for entry in entries), ZERO)
    detail: Object = {"TotalTax": number(total)}
    if code is not None:
        detail["TxnTaxCodeRef"] = {"value": code}
    if entries:
        detail["TaxLine"] = [entry.as_wire() for entry in entries]
    members["TxnTaxDetail"] = detail
    return total


def _american_tax(
    company: Company,
    members: Object,
    customer: Object,
    sales: list[DocumentLine],
    lines: list[DocumentLine],
    sent_tax: Object,
) -> tuple[list[tax.TaxLine], str | None]:
    if not company.using_tax:
        return [], None
    subtotal = sum((line.amount for line in sales), ZERO)
    amounts = [line.amount for line in sales if line.code == "TAX"]
    if subtotal and members.get("ApplyTaxAfterDiscount"):
        amounts = [amount * (1 - discounts(lines, subtotal) / subtotal) for amount in amounts]
    day = members["TxnDate"]
    rounding = Rounding(per_line=company.settings.tax_rounding == "per_line", unit=unit(company.profile.home_currency))
    if company.preference("TaxPrefs", "PartnerTaxEnabled"):
        address = (
            members.get("ShipAddr") or customer.get("ShipAddr") or members.get("BillAddr") or customer.get("BillAddr")
        )
        state = (address or {}).get("CountrySubDivisionCode")
        entries = tax.excluded(tax.automated(company, state, amounts, day), rounding)
        # The engine puts a code of its own in the place of what was sent.
        return entries, company.preference("TaxPrefs", "TaxGroupCodeRef")["value"] if entries else None
    code = value_of(sent_tax.get("TxnTaxCodeRef"))
    if code is None:
        return [], None
    rates = tax.rates_of(company, code, day)
    if not sum(amounts, ZERO):
        return [], code
    return tax.excluded([tax.TaxableLine(amount, rates) for amount in amounts], rounding), code


def _value_added_tax(
    company: Company, basis: str, members: Object, sales: list[DocumentLine], lines: list[DocumentLine]
) -> list[tax.TaxLine]:
    if not company.using_tax or basis == "NotApplicable":
        return []
    smallest = unit(members["CurrencyRef"]["value"])
    rounding = Rounding(per_line=company.settings.tax_rounding == "per_line", unit=smallest)
    day = members["TxnDate"]
    taxable = [tax.TaxableLine(line.amount, tax.rates_of(company, line.code or "", day)) for line in sales]
    if basis == "TaxInclusive":
        entries, nets = tax.included(taxable, rounding)
        for line, net in zip(sales, nets, strict=True):
            line.detail["TaxInclusiveAmt"] = number(line.amount)
            line.wire["Amount"] = number(net)
            line.amount = net
    else:
        subtotal = sum((line.amount for line in sales), ZERO)
        off = discounts(lines, subtotal)
        if off and subtotal:
            # A discount takes its share of every line before tax.
            taxable = [replace(line, amount=line.amount * (1 - off / subtotal)) for line in taxable]
        entries = tax.excluded(taxable, rounding)
    return entries


def discounts(lines: list[DocumentLine], subtotal: Decimal) -> Decimal:
    """What the discount lines take off; a percentage is worked out here, on the subtotal."""
    off = ZERO
    for line in lines:
        if line.kind == DISCOUNT:
            detail = line.wire[DISCOUNT]
            if detail.get("PercentBased"):
                line.amount = cents(subtotal * dec(detail.get("DiscountPercent")) / HUNDRED)
                line.wire["Amount"] = number(line.amount)
            off += line.amount
    return off
