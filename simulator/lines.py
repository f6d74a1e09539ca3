"""The lines of an invoice or a credit memo: their kinds, items, classes and amounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from simulator.amounts import CENT, HUNDRED, ZERO, cents, dec, number
from simulator.company import Company
from simulator.faults import ApiFault, FaultError, business, error, fault, missing, too_long
from simulator.items import check_sale
from simulator.members import Object
from simulator.references import put_reference, reference, resolve, value_of
from simulator.tax import PSEUDO_CODES

MAXIMUM_LINES = 10_000
MAXIMUM_DESCRIPTION = 4_000
MAXIMUM_AMOUNT = Decimal("99999999999.99")
SALES_LINE = "SalesItemLineDetail"
DESCRIPTION = "DescriptionOnly"
DISCOUNT = "DiscountLineDetail"
SUBTOTAL = "SubTotalLineDetail"
_DETAIL_MEMBER = {DESCRIPTION: "DescriptionLineDetail"}
GROUP = "GroupLineDetail"
DEFAULT_ITEM = "1"
_KINDS = (SALES_LINE, GROUP, DESCRIPTION, DISCOUNT, SUBTOTAL)


@dataclass(slots=True)
class DocumentLine:
    """A line on its way into a document. `wire` is what is stored; `amount` what it adds, in cents.

    A group of items holds the sales of its items as `parts`.
    """

    wire: Object
    kind: str
    amount: Decimal
    code: str | None = None
    parts: tuple[DocumentLine, ...] = ()

    @property
    def sales(self) -> tuple[DocumentLine, ...]:
        """The sales that the line stands for."""
        return (self,) if self.kind == SALES_LINE else self.parts

    def sum_up(self) -> None:
        """Store what the parts of a group come to, once their tax is known."""
        if self.kind == GROUP:
            self.wire["Amount"] = number(sum((part.amount for part in self.parts), ZERO))
            self.wire[GROUP]["Line"] = [
                {"Id": str(place), "LineNum": place, **part.wire} for place, part in enumerate(self.parts, start=1)
            ]

    @property
    def detail(self) -> Object:
        found: Object = self.wire[SALES_LINE]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Selling:
    """What the lines of one document have in common: the company, the day, and whether amounts hold their tax."""

    company: Company
    day: str
    inclusive: bool


def read(selling: Selling, sent: list[Object], old: Object | None) -> list[DocumentLine]:
    """The lines as they will be stored, without Ids, tax codes as sent. A subtotal sent along is left out.

    :raises ApiFault: every missing member and wrong length at once; then the first reference or amount that is refused.
    """
    if len(sent) > MAXIMUM_LINES:
        raise business(f"A transaction can have at most {MAXIMUM_LINES:,} lines. Supplied:{len(sent):,}")
    sent = [line for line in sent if line.get("DetailType") != SUBTOTAL]
    errors = [one for line in sent for one in _shape(line)]
    if errors:
        raise ApiFault(*errors[:10])
    kept = {line["Id"]: line for line in (old or {}).get("Line", []) if "Id" in line}
    return [_line(selling, line, kept.get(line.get("Id", ""))) for line in sent]


def number_lines(company: Company, document: str | None, lines: list[DocumentLine], old: Object | None) -> list[Object]:
    """Ids and LineNums: a line that came with an Id of this document keeps it, any other gets a new one."""
    free = {line["Id"] for line in (old or {}).get("Line", []) if "Id" in line}
    numbered: list[Object] = []
    fresh = 0
    for place, line in enumerate(lines, start=1):
        identifier = line.wire.pop("Id", None)
        if identifier in free:
            free.remove(identifier)
        elif document is None:
            fresh += 1
            identifier = str(fresh)
        else:
            identifier = company.next_line_id(document)
        numbered.append({"Id": identifier, "LineNum": place, **line.wire})
    return numbered


def subtotal_line(amount: Decimal) -> Object:
    """The line the server adds, without Id and LineNum."""
    return {"Amount": number(amount), "DetailType": SUBTOTAL, SUBTOTAL: {}}


def _shape(line: Object) -> list[FaultError]:
    kind = line.get("DetailType")
    if kind is None:
        return [missing("Line.DetailType")]
    errors = []
    if kind == SALES_LINE and SALES_LINE not in line:
        errors.append(missing("Line.SalesItemLineDetail"))
    if kind in (SALES_LINE, DISCOUNT) and "Amount" not in line and not (kind == DISCOUNT and DISCOUNT in line):
        errors.append(missing("Line.Amount"))
    if len(line.get("Description", "")) > MAXIMUM_DESCRIPTION:
        errors.append(too_long("Line.Description", len(line["Description"]), MAXIMUM_DESCRIPTION))
    if abs(dec(line.get("Amount"))) > MAXIMUM_AMOUNT:
        errors.append(error("2140", f"Invalid Amount : {line['Amount']}", "Line.Amount"))
    return errors


def _line(selling: Selling, line: Object, old: Object | None) -> DocumentLine:
    company = selling.company
    kind = str(line["DetailType"])
    if kind not in _KINDS:
        raise business(f"A sales form cannot have a line of type {kind}.")
    member = _DETAIL_MEMBER.get(kind, kind)
    wire: Object = {name: line[name] for name in ("Id", "Description") if line.get(name, "").strip()}
    detail = dict(line.get(member, {}))
    if kind == SALES_LINE and value_of(detail.get("ItemRef")) is None:
        if company.settings.line_without_item == "item" and dec(line.get("Amount")):
            detail["ItemRef"] = {"value": DEFAULT_ITEM}
        else:
            # Documentation; its amount is ignored.
            kind, member, detail = DESCRIPTION, "DescriptionLineDetail", {}
    if kind == DESCRIPTION:
        # A code that is none is left out, any other is kept and taxes nothing (recorded: JonBeak/Nexus, November 2025).
        code = value_of(detail.pop("TaxCodeRef", None))
        if code is not None and code not in PSEUDO_CODES:
            detail["TaxCodeRef"] = {"value": resolve(company, "TaxCode", code, kept=code)["Id"]}
        return DocumentLine({**wire, "DetailType": kind, member: detail}, kind, ZERO)
    if kind == DISCOUNT:
        return _discount(company, line, wire, detail)
    if kind == GROUP:
        return _group(selling, wire, detail, (old or {}).get(GROUP))
    return _sale(selling, line, wire, detail, (old or {}).get(SALES_LINE))


def _group(selling: Selling, wire: Object, detail: Object, old: Object | None) -> DocumentLine:
    """A group of items: one sale for each of its items, as sent or as the group has them."""
    company = selling.company
    identifier = value_of(detail.get("GroupItemRef")) or ""
    group = resolve(company, "Item", identifier, kept=value_of((old or {}).get("GroupItemRef")))
    if group["Type"] != "Group":
        raise fault("2500", f"Invalid Reference Id : Item element id {identifier} is not a group", "Reference Id")
    count = dec(detail.get("Quantity")) or Decimal(1)
    sent = detail.get("Line") or [
        _component(company, one, count) for one in group.get("ItemGroupDetail", {}).get("ItemGroupLine", [])
    ]
    parts = tuple(_line(selling, one, None) for one in sent)
    if not parts or any(part.kind != SALES_LINE for part in parts):
        raise business("A group of items holds lines that sell an item, at least one.")
    detail = {"GroupItemRef": reference("Item", group), "Quantity": number(count)}
    return DocumentLine({**wire, "DetailType": GROUP, GROUP: detail}, GROUP, ZERO, parts=parts)


def _component(company: Company, one: Object, count: Decimal) -> Object:
    item = resolve(company, "Item", value_of(one.get("ItemRef")) or "")
    quantity, price = count * (dec(one.get("Qty")) or Decimal(1)), dec(item.get("UnitPrice"))
    detail: Object = {"ItemRef": {"value": item["Id"]}, "Qty": number(quantity), "UnitPrice": number(price)}
    if "SalesTaxCodeRef" in item:
        detail["TaxCodeRef"] = item["SalesTaxCodeRef"]
    return {"Amount": number(cents(quantity * price)), "DetailType": SALES_LINE, SALES_LINE: detail}


def _sale(selling: Selling, line: Object, wire: Object, detail: Object, old: Object | None) -> DocumentLine:
    company = selling.company
    item_id = value_of(detail["ItemRef"]) or ""
    _check_stock(company, item_id, kept=value_of((old or {}).get("ItemRef")))
    item = resolve(
        company, "Item", item_id, kept=value_of((old or {}).get("ItemRef")), path="Line.SalesItemLineDetail.ItemRef"
    )
    check_sale(item, detail, selling.day)
    detail["ItemRef"] = reference("Item", item)
    if not dec(detail.get("RatePercent")):
        detail.pop("RatePercent", None)
    income = item.get("IncomeAccountRef")
    if income:
        detail["ItemAccountRef"] = income
    else:
        detail.pop("ItemAccountRef", None)
    put_class(company, detail, old, allowed=bool(company.preference("AccountingInfoPrefs", "ClassTrackingPerTxnLine")))
    amount = cents(dec(line.get("Amount")))
    if selling.inclusive:
        gross = dec(detail.get("TaxInclusiveAmt"))
        amount = cents(gross) if gross else amount
    else:
        detail.pop("TaxInclusiveAmt", None)
        _check_product(company, line, detail)
    for name in ("Qty", "UnitPrice"):
        # A zero of both is what some clients send for "not given"; Intuit takes it, and shows neither.
        if not dec(detail.get("Qty")) and not dec(detail.get("UnitPrice")):
            detail.pop(name, None)
    wire.update({"Amount": number(amount), "DetailType": SALES_LINE, SALES_LINE: detail})
    return DocumentLine(wire, SALES_LINE, amount, code=value_of(detail.get("TaxCodeRef")))


def _check_stock(company: Company, identifier: str, *, kept: str | None) -> None:
    """:raises ApiFault: 6000 for stock that was made inactive, whose quantity a sale would change (two reports of 2026)."""
    found = company.get("Item", identifier)
    if found and found["Type"] == "Inventory" and found.get("Active") is False and identifier != kept:
        raise business("You need to activate this item before updating the quantity.")


def _check_product(company: Company, line: Object, detail: Object) -> None:
    if "Qty" not in detail or "UnitPrice" not in detail or not (detail["Qty"] or detail["UnitPrice"]):
        return
    product = cents(dec(detail["Qty"]) * dec(detail["UnitPrice"]))
    sent = dec(line["Amount"])
    if abs(product - sent) > company.settings.amount_tolerance_cents * CENT:
        raise fault("6070", f"Amount is not equal to UnitPrice * Qty. Supplied value:{sent:,}", "Line.Amount")


def put_class(company: Company, members: Object, old: Object | None, *, allowed: bool) -> None:
    """Check ClassRef; where the company does not track classes there, drop it or refuse (switch)."""
    if value_of(members.get("ClassRef")) is not None and not allowed:
        if company.settings.class_when_tracking_is_off == "refuse":
            raise business("Class tracking is turned off for this company.")
        del members["ClassRef"]
    put_reference(company, members, "ClassRef", "Class", old=old)


def _discount(company: Company, line: Object, wire: Object, detail: Object) -> DocumentLine:
    if not company.preference("SalesFormsPrefs", "AllowDiscount"):
        raise business("Discounts are turned off for this company.")
    percent = dec(detail.get("DiscountPercent")) if detail.get("PercentBased") else None
    if percent is None and "Amount" not in line:
        raise ApiFault(missing("Line.Amount"))
    if percent is not None and not ZERO <= percent <= HUNDRED:
        raise fault("2090", f"Invalid Number : {detail['DiscountPercent']}", "DiscountPercent")
    amount = cents(dec(line.get("Amount")))
    wire.update({"Amount": number(amount), "DetailType": DISCOUNT, DISCOUNT: detail})
    put_reference(company, detail, "DiscountAccountRef", "Account")
    return DocumentLine(wire, DISCOUNT, amount)
