"""Items, classes, departments and terms."""

from __future__ import annotations

import pytest

from .conftest import Books

INCOME = {"value": "1"}


def test_an_item_needs_a_name_and_an_income_account(books: Books) -> None:
    made = books.create("Item", Name="Modelling", Type="Service", IncomeAccountRef=INCOME)
    assert (made["FullyQualifiedName"], made["Active"], made["IncomeAccountRef"]["name"]) == (
        "Modelling",
        True,
        "Sales of Services",
    )
    assert books.refuses(lambda: books.create("Item", Name="x")).codes == ("2020",)
    assert books.refuses(lambda: books.create("Item", IncomeAccountRef=INCOME)).codes == ("2020",)
    assert books.refuses(lambda: books.create("Item", Name="modelling", IncomeAccountRef=INCOME)).codes == ("6240",)
    assert books.refuses(lambda: books.create("Item", Name="x" * 101, IncomeAccountRef=INCOME)).codes == ("2050",)


def test_an_item_below_a_category_has_a_full_name(books: Books) -> None:
    made = books.create(
        "Item", Name="Models", SubItem=True, ParentRef={"value": "8"}, IncomeAccountRef=INCOME, Type="Service"
    )
    assert (made["FullyQualifiedName"], made["Level"]) == ("Studio:Models", 1)


@pytest.mark.parametrize(("entity", "flag"), [("Class", "SubClass"), ("Department", "SubDepartment")])
def test_classes_and_departments_nest_and_deactivate(books: Books, entity: str, flag: str) -> None:
    top = books.create(entity, Name="Top")
    below = books.create(entity, Name="Below", ParentRef={"value": top["Id"]}, **{flag: True})
    assert (below["FullyQualifiedName"], below[flag]) == ("Top:Below", True)
    assert books.refuses(lambda: books.create(entity, Name="top")).codes == ("6240",)
    assert books.refuses(lambda: books.create(entity, Name="a:b")).codes == ("2040",)
    assert books.update(entity, top, Active=False)["Name"] == "Top (deleted)"


def test_a_term_is_a_number_of_days_or_a_day_of_the_month(books: Books) -> None:
    assert books.create("Term", Name="Net 45", DueDays=45)["Type"] == "STANDARD"
    assert books.create("Term", Name="The 5th", DayOfMonthDue=5)["Type"] == "DATE_DRIVEN"
    assert books.refuses(lambda: books.create("Term", Name="When able")).codes == ("2020",)
    assert books.refuses(lambda: books.create("Term", Name="x" * 32, DueDays=1)).codes == ("2050",)


def test_tax_codes_rates_and_accounts_cannot_be_written(books: Books) -> None:
    for entity in ("TaxCode", "TaxRate", "TaxAgency", "Account", "Employee", "Preferences", "CompanyInfo"):
        assert books.refuses(lambda entity=entity: books.create(entity, Name="x")).codes == ("500",)  # type: ignore[misc]
