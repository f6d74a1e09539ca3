"""What a service, a department or a VAT rate probably is in QuickBooks, and when that is clear."""

from __future__ import annotations

from decimal import Decimal

import pytest

from admin.quickbooks_online.entries import Entry
from admin.quickbooks_online.suggestions import Vocabulary, by_name, by_rate, clear_choice, likeness

CODES = [
    Entry("1", "20.0% S (20 %)", True, called="20.0% S", rate=Decimal(20)),
    Entry("2", "20.0% RC SG (20 %)", True, called="20.0% RC SG", rate=Decimal(20)),
    Entry("3", "5.0% R (5 %)", True, called="5.0% R", rate=Decimal(5)),
    Entry("4", "0.0% Z (0 %)", True, called="0.0% Z", rate=Decimal(0)),
    Entry("5", "Exempt (0 %)", True, called="Exempt", rate=Decimal(0)),
    Entry("6", "GST/QST QC - 9.975 (14.975 %)", True, called="GST/QST QC - 9.975", rate=Decimal("14.975")),
    Entry("7", "GST/QST QC - 9.5 (14.975 %)", True, called="GST/QST QC - 9.5", rate=Decimal("14.975")),
]
ITEMS = [
    Entry("1", "Surveying:LiDAR", True, "Service"),
    Entry("2", "Point clouds", True, "Service"),
    Entry("3", "Land survey", True, "Service"),
    Entry("4", "Design", True, "Service"),
]


@pytest.mark.parametrize(
    ("name", "rate", "chosen"),
    [
        ("Standard 20 %", Decimal(20), "1"),
        ("VAT", Decimal("20.00"), "1"),
        ("Reverse charge", Decimal(20), "1"),
        ("Reduced", Decimal(5), "3"),
        ("Zero rated", Decimal(0), "4"),
        ("Exempt", Decimal(0), "5"),
        ("Nothing", Decimal(0), ""),
        ("TPS/TVQ", Decimal("14.975"), ""),
        ("GST/QST QC - 9.975", Decimal("14.975"), "6"),
        ("Standard 21 %", Decimal(21), ""),
    ],
)
def test_a_tax_code_has_the_rate_and_then_the_name(name: str, rate: Decimal, chosen: str) -> None:
    assert clear_choice(by_rate([name], rate, CODES)) == chosen


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("lidar", "1"), ("Point-Clouds", "2"), ("Survey, land", "3"), ("Désign", "4"), ("Setting out", ""), ("", "")],
)
def test_an_item_is_known_by_its_name(name: str, chosen: str) -> None:
    assert clear_choice(by_name([name], Vocabulary(ITEMS))) == chosen


def test_two_that_are_alike_are_shown_and_none_is_chosen() -> None:
    found = by_name(["Land surveys"], Vocabulary([Entry("1", "Land survey", True), Entry("2", "Land survey.", True)]))
    assert [one.id for one in found] == ["1", "2"]
    assert clear_choice(found) == ""


def test_scores_say_how_much_is_alike() -> None:
    assert likeness("LiDAR", "lidar") == 100
    assert likeness("Point cloud", "pointcloud") == 95
    assert likeness("Design", "Surveying") < 60


def test_a_name_is_compared_with_few_of_a_long_list() -> None:
    vocabulary = Vocabulary([Entry(str(number), f"Division:Item {number}", True) for number in range(5_000)])
    assert len(vocabulary.near("Item 4711")) == 12
    assert clear_choice(by_name(["Item 4711"], vocabulary)) == "4711"
