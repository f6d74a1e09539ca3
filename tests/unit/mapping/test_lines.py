from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mapping.invoice import map_invoice
from schemas.company import ItemService
from schemas.events import QuoteItem, Service

D = Decimal


def lines_of(make: Any, *lines: Any, configuration: Any = None, facts: Any = None, credit: bool = False) -> Any:
    invoice = (make.credit_note if credit else make.invoice)(*lines)
    return map_invoice(invoice, configuration or make.configuration(), facts or make.facts(), customer_id="77")


def reasons(mapped: Any, member: str) -> list[tuple[str, str]]:
    return [(choice.value, choice.reason) for choice in mapped.choices if choice.member.endswith(member)]


# Items


def test_the_item_of_the_service_then_the_default(make: Any) -> None:
    mapped = lines_of(
        make,
        make.line(),
        make.line(position=2, service=Service("svc-9", "Drone")),
        make.line(position=3, service=None),
    )
    assert reasons(mapped, "ItemRef") == [
        ("12", "Item Service of “LiDAR”"),
        ("1", "Default Item ID: Service “Drone” has no Item Service"),
        ("1", "Default Item ID: the quote item has no Service"),
    ]


def test_no_item_is_told_once_for_each_service(make: Any, refusals: Any) -> None:
    drone = Service("svc-9", "Drone")
    lines = (make.line(service=drone), make.line(position=2, service=None), make.line(position=3, service=drone))
    configuration = make.configuration(default_item_id=None)
    problems = refusals(map_invoice, make.invoice(*lines), configuration, make.facts(), customer_id="77")
    assert set(problems) == {"no-item:svc-9", "no-item:none"}
    assert problems["no-item:svc-9"].message == (
        "Invoice 24-0329-01, lines 1, 3: Service “Drone” has no Item Service, and there is no Default Item ID"
    )


# Classes


@pytest.mark.parametrize(
    ("item_class", "departments", "default", "expected", "reason"),
    [
        ("7", {"dep-1": "8"}, "9", "7", "Class of the Item Service of “LiDAR”"),
        (None, {"dep-1": "8"}, "9", "8", "Class of Department “Scanning”"),
        (None, {}, "9", "9", "Default Class ID"),
        (None, {"dep-2": "8"}, None, None, None),
    ],
)
def test_the_class_of_a_line(
    make: Any,
    item_class: str | None,
    departments: dict[str, str],
    default: str | None,
    expected: str | None,
    reason: str,
) -> None:
    configuration = make.configuration(
        item_services={"svc-1": ItemService("12", item_class)}, department_classes=departments, default_class_id=default
    )
    mapped = lines_of(make, make.line(), configuration=configuration)
    detail = mapped.payload["Line"][0]["SalesItemLineDetail"]
    assert detail.get("ClassRef") == (None if expected is None else {"value": expected})
    assert reasons(mapped, "ClassRef") == ([] if expected is None else [(expected, reason)])
    assert "ClassRef" not in mapped.payload


def test_one_class_for_a_transaction_when_all_lines_agree(make: Any) -> None:
    facts = make.facts(class_per_line=False, class_per_transaction=True)
    configuration = make.configuration(default_class_id="9", department_classes={"dep-1": "9"})
    lines = (make.line(), make.line(position=2, service=None))
    mapped = lines_of(make, *lines, configuration=configuration, facts=facts)
    assert mapped.payload["ClassRef"] == {"value": "9"}
    assert all("ClassRef" not in line["SalesItemLineDetail"] for line in mapped.payload["Line"])
    differing = make.configuration(default_class_id="9", department_classes={"dep-1": "8"})
    mapped = lines_of(make, *lines, configuration=differing, facts=facts)
    assert mapped.payload["ClassRef"] == {"value": "9"}
    assert reasons(mapped, "ClassRef")[0][1].endswith("the lines differ")
    without = make.configuration(department_classes={"dep-1": "8"})
    mapped = lines_of(make, *lines, configuration=without, facts=facts)
    assert "ClassRef" not in mapped.payload
    assert reasons(mapped, "ClassRef")[0][1].endswith("there is no Default Class ID")


def test_a_company_without_classes_gets_none(make: Any) -> None:
    facts = make.facts(class_per_line=False)
    mapped = lines_of(make, make.line(), configuration=make.configuration(default_class_id="9"), facts=facts)
    assert "ClassRef" not in str(mapped.payload)
    assert reasons(mapped, "ClassRef") == [("", "Left out: the company does not track classes")]


# Quantities


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "shown"),
    [
        ("2.5", "40", "100.00", ("2.5", "40")),
        ("128.350", "14.50", "1861.08", ("128.35", "14.5")),
        ("128.350", "14.50", "1861.07", None),
        ("3", "33.33333", "100.00", ("3", "33.33333")),
        ("3", "33.333333", "100.00", None),
        ("0.123456", "100", "12.35", None),
        ("-2", "50", "-100.00", ("-2", "50")),
        ("2", "-50", "-100.00", ("2", "-50")),
        ("2", "50", "-100.00", None),
        ("-2", "-50", "100.00", None),
        ("-1", "0.125", "-0.13", None),
        ("-1", "0.126", "-0.13", ("-1", "0.126")),
        ("0", "50", "0.00", None),
        ("1e2", "1", "100.00", ("100", "1")),
        ("12345678901", "0", "0.00", None),
        (None, "50", "50.00", None),
        ("1", None, "50.00", None),
    ],
)
def test_quantity_and_price_only_when_they_come_to_the_amount(
    make: Any, quantity: str | None, price: str | None, amount: str, shown: tuple[str, str] | None
) -> None:
    balance = make.line(position=2, amount_net=D("200.00"), vat_rate=make.zero)
    line = make.line(
        amount_net=D(amount),
        vat_rate=make.zero,
        quantity=None if quantity is None else D(quantity),
        unit_price=None if price is None else D(price),
    )
    mapped = lines_of(make, line, balance)
    made = mapped.payload["Line"][0]
    detail = made["SalesItemLineDetail"]
    assert made["Amount"] == D(amount)
    if shown is None:
        assert "Qty" not in detail
        assert "UnitPrice" not in detail
    else:
        assert (str(detail["Qty"]), str(detail["UnitPrice"])) == shown
    disagree = quantity is not None and price is not None and shown is None
    assert any("Stands alone" in choice.reason for choice in mapped.choices) is disagree


@pytest.mark.parametrize(("quantity", "price"), [("-2", "50"), ("2", "50"), ("2", "-50")])
def test_a_credit_notes_units_are_positive_however_kompass_counts_them(make: Any, quantity: str, price: str) -> None:
    line = make.line(amount_net=D("-100.00"), vat_rate=make.zero, quantity=D(quantity), unit_price=D(price))
    made = lines_of(make, line, credit=True).payload["Line"][0]
    detail = made["SalesItemLineDetail"]
    assert made["Amount"] == D("100.00")
    if price == "-50":
        assert "Qty" not in detail, "two negatives are not shown"
    else:
        assert (detail["Qty"], detail["UnitPrice"]) == (D(2), D(50))


# Descriptions


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"percentage": D("35.00")}, "Topographic survey\n35 % of 10,000.00"),
        ({"percentage": D("33.3333")}, "Topographic survey\n33.3333 % of 10,000.00"),
        ({"percentage": D(35), "description": "Stage 1"}, "Topographic survey\nStage 1\n35 % of 10,000.00"),
        ({"description": "Topographic survey, stage 1"}, "Topographic survey, stage 1"),
        ({"description": "Topographic survey"}, "Topographic survey"),
        ({"percentage": D(35), "quote_item": QuoteItem("q", "Fee")}, "Fee"),
        ({"quantity": D("2.5"), "unit": "days", "unit_price": D(40)}, "Topographic survey\n2.5 days at 40.00"),
        ({"quantity": D("2.5"), "unit": "days", "unit_price": D(41)}, "Topographic survey"),
        ({"quantity": D("2.5"), "unit_price": D(40)}, "Topographic survey"),
        ({"quote_item": QuoteItem("q", ""), "description": " a\r\nb "}, "a\nb"),
    ],
)
def test_descriptions(make: Any, changes: dict[str, Any], expected: str) -> None:
    made = lines_of(make, make.line(**changes)).payload["Line"][0]
    assert made["Description"] == expected


def test_a_credited_share_reads_as_a_positive_one(make: Any) -> None:
    line = make.line(amount_net=D("-3500.00"), vat_rate=make.zero, percentage=D("-35"))
    made = lines_of(make, line, credit=True).payload["Line"][0]
    assert made["Description"].endswith("\n35 % of 10,000.00")


def test_a_line_without_any_text_has_no_description(make: Any) -> None:
    made = lines_of(make, make.line(quote_item=QuoteItem("q", " "))).payload["Line"][0]
    assert "Description" not in made


def test_lines_are_in_the_order_of_their_positions(make: Any) -> None:
    lines = [make.line(position=n, quote_item=QuoteItem("q", f"item {n}")) for n in (30, 10, 20)]
    made = lines_of(make, *lines).payload["Line"]
    assert [(line["LineNum"], line["Description"]) for line in made] == [(1, "item 10"), (2, "item 20"), (3, "item 30")]
