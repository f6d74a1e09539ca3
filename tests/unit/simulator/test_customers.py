"""Customers, jobs and vendors."""

from __future__ import annotations

import pytest

from simulator import UK

from .conftest import Books, OpenBooks


def test_create_fills_in_what_quickbooks_fills_in(books: Books) -> None:
    made = books.customer("Doe5, Jane")
    assert {
        name: made[name] for name in ("Job", "BillWithParent", "Balance", "BalanceWithJobs", "Active", "sparse")
    } == {
        "Job": False,
        "BillWithParent": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "Active": True,
        "sparse": False,
    }
    assert (made["domain"], made["SyncToken"], made["PreferredDeliveryMethod"]) == ("QBO", "0", "Print")
    assert (made["FullyQualifiedName"], made["PrintOnCheckName"]) == ("Doe5, Jane", "Doe5, Jane")
    assert made["MetaData"]["CreateTime"] == "2026-03-10T10:00:00-07:00"


def test_ids_are_sequential_in_each_realm(books: Books) -> None:
    assert [int(books.customer(name)["Id"]) for name in ("a", "b", "c")] == [6, 7, 8]


def test_a_name_is_made_of_its_parts_or_refused_with_6080(books: Books) -> None:
    assert books.create("Customer", GivenName="Jane", FamilyName="Doe")["DisplayName"] == "Jane Doe"
    assert books.refuses(lambda: books.create("Customer", CompanyName="Doe Ltd")).codes == ("6080",)


@pytest.mark.parametrize("name", ["HARBOUR printing", "Emily Platt", " larch "])
def test_names_are_unique_across_customers_vendors_and_employees(open_books: OpenBooks, name: str) -> None:
    books = open_books(duplicate_name_detail="id")
    books.customer("Larch")
    refused = books.refuses(lambda: books.customer(name))
    holder = books.company.name_holder("Customer", name.strip())
    assert holder is not None
    assert refused.codes == ("6240",)
    assert refused.errors[0].detail == f"The name supplied already exists. : Id={holder[1]}"
    assert books.refuses(lambda: books.create("Vendor", DisplayName="larch")).codes == ("6240",)


def test_two_parents_cannot_both_have_a_job_of_one_name(books: Books) -> None:
    first, second = books.customer("A"), books.customer("B")
    books.customer("Phase 1", Job=True, ParentRef={"value": first["Id"]})
    assert books.refuses(lambda: books.customer("Phase 1", Job=True, ParentRef={"value": second["Id"]})).codes == (
        "6240",
    )


def test_switch_duplicate_name_detail(open_books: OpenBooks) -> None:
    details = {}
    for value in ("id", "null", "sentence"):
        books = open_books(duplicate_name_detail=value)
        books.customer("Larch")
        details[value] = books.refuses(lambda books=books: books.customer("Larch")).errors[0].detail  # type: ignore[misc]
    assert details == {
        "id": "The name supplied already exists. : Id=6",
        "null": "The name supplied already exists. : null",
        "sentence": (
            "The name supplied already exists. : Another customer, vendor or employee is already using this name. "
            "Please use a different name."
        ),
    }


@pytest.mark.parametrize("character", [":", "\t", "\n"])
def test_a_colon_tab_or_line_end_in_a_name_is_refused(books: Books, character: str) -> None:
    """Stack Overflow 24529982 and, with the element, an answer of 2026-07-29 in a public test."""
    (error,) = books.refuses(lambda: books.customer(f"a{character}b")).errors
    assert (error.code, error.element) == ("2040", "DisplayName")
    assert error.message == "Invalid String. The String may contain unsupported or illegal chars"
    assert error.detail == f"Element contains invalid characters. a{character}b"


def test_switch_forbidden_character_code(open_books: OpenBooks) -> None:
    books = open_books(forbidden_character_code="6000")
    assert books.refuses(lambda: books.customer("a:b")).codes == ("6000",)


def test_lengths_are_refused_with_2050_all_at_once(books: Books) -> None:
    refused = books.refuses(
        lambda: books.customer("x" * 501, Notes="y" * 2001, PrimaryPhone={"FreeFormNumber": "1" * 31})
    )
    assert refused.codes == ("2050", "2050", "2050")
    assert refused.errors[0].detail == (
        "String length specified does not match the supported length. Min:0 Max:500 supported. Supplied length:501"
    )
    assert "Max:2,000 supported. Supplied length:2,001" in refused.errors[1].detail


def test_a_wrong_email_is_2210_and_a_wrong_web_address_2200(books: Books) -> None:
    assert books.refuses(lambda: books.customer(PrimaryEmailAddr={"Address": "nobody"})).codes == ("2210",)
    assert books.refuses(lambda: books.customer(WebAddr={"URI": "not an address"})).codes == ("2200",)


def test_a_job_has_a_parent_a_level_and_a_full_name(books: Books) -> None:
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]}, BillWithParent=True)
    assert (job["Level"], job["FullyQualifiedName"], job["ParentRef"]) == (1, "Larch:House", {"value": parent["Id"]})
    assert job["BillWithParent"] is True
    below = books.customer("Roof", Job=True, ParentRef={"value": job["Id"]})
    assert (below["Level"], below["FullyQualifiedName"]) == (2, "Larch:House:Roof")


def test_a_job_without_parent_is_6150_and_below_itself_900_or_700(books: Books) -> None:
    assert books.refuses(lambda: books.customer(Job=True)).codes == ("6150",)
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]})
    own = {"value": job["Id"]}
    assert books.refuses(lambda: books.update("Customer", job, ParentRef=own)).codes == ("900",)
    assert books.refuses(lambda: books.update("Customer", parent, Job=True, ParentRef=own)).codes == ("700",)


def test_a_parent_without_job_is_not_taken_over(books: Books) -> None:
    parent = books.customer("Larch")
    made = books.customer("House", ParentRef={"value": parent["Id"]})
    assert (made["Job"], "ParentRef" in made, made["FullyQualifiedName"]) == (False, False, "House")


def test_a_fifth_level_below_is_refused_with_6180(books: Books) -> None:
    above = books.customer("0")
    for level in range(1, 5):
        above = books.customer(str(level), Job=True, ParentRef={"value": above["Id"]})
        assert above["Level"] == level
    deepest = {"value": above["Id"]}
    assert books.refuses(lambda: books.customer("5", Job=True, ParentRef=deepest)).codes == ("6180",)


def test_a_parent_that_is_missing_or_inactive_is_refused(books: Books) -> None:
    refused = books.refuses(lambda: books.customer(Job=True, ParentRef={"value": "583"}))
    assert refused.codes == ("2500",)
    assert refused.errors[0].detail == "Invalid Reference Id : Names element id 583 not found"
    parent = books.update("Customer", books.customer("Gone"), Active=False)
    refused = books.refuses(lambda: books.customer(Job=True, ParentRef={"value": parent["Id"]}))
    assert refused.codes == ("610",)


def test_a_rename_reaches_jobs_and_documents(books: Books) -> None:
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]})
    invoice = books.invoice(job)
    books.update("Customer", parent, DisplayName="Birch")
    assert books.get("Customer", job["Id"])["FullyQualifiedName"] == "Birch:House"
    books.update("Customer", books.get("Customer", job["Id"]), DisplayName="Barn")
    shown = books.get("Invoice", invoice["Id"])
    assert (shown["CustomerRef"]["name"], shown["SyncToken"]) == ("Barn", "0")


def test_deactivating_adds_the_deleted_suffix_and_reactivating_takes_it_away(books: Books) -> None:
    gone = books.update("Customer", books.customer("Larch"), Active=False)
    assert (gone["DisplayName"], gone["FullyQualifiedName"]) == ("Larch (deleted)", "Larch (deleted)")
    assert books.update("Customer", gone, Active=True)["DisplayName"] == "Larch"


def test_an_inactive_name_is_free_unless_switched(open_books: OpenBooks) -> None:
    books = open_books(inactive_name_is_free=True)
    books.update("Customer", books.customer("Larch"), Active=False)
    again = books.customer("Larch")
    assert books.update("Customer", again, Active=False)["DisplayName"] == "Larch (deleted) 2"
    books = open_books(inactive_name_is_free=False)
    books.update("Customer", books.customer("Larch"), Active=False)
    assert books.refuses(lambda: books.customer("Larch")).codes == ("6240",)


def test_a_customer_with_a_balance_cannot_be_made_inactive(books: Books) -> None:
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]})
    books.invoice(job)
    for one in (job, parent):
        assert books.refuses(lambda one=one: books.update("Customer", one, Active=False)).codes == ("6220",)  # type: ignore[misc]


def test_balances_are_summed_over_jobs(books: Books) -> None:
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]})
    books.invoice(parent)
    books.invoice(job)
    books.memo(job)
    books.invoice(job)
    shown = books.get("Customer", parent["Id"])
    assert (shown["Balance"], shown["BalanceWithJobs"]) == (100, 200)


def test_currency_is_set_at_create_and_never_changes(open_books: OpenBooks) -> None:
    books = open_books(UK)
    made = books.customer("Larch", CurrencyRef={"value": "EUR"})
    assert books.refuses(lambda: books.update("Customer", made, CurrencyRef={"value": "GBP"})).codes == ("6000",)
    assert books.update("Customer", made, Notes="x")["CurrencyRef"]["value"] == "EUR"
    assert books.refuses(lambda: books.customer("x", CurrencyRef={"value": "XYZ"})).codes == ("2220",)


def test_a_foreign_currency_needs_multicurrency(books: Books) -> None:
    assert books.refuses(lambda: books.customer("x", CurrencyRef={"value": "EUR"})).codes == ("6000",)


def test_a_sub_customer_has_the_currency_of_its_parent(open_books: OpenBooks) -> None:
    books = open_books(UK)
    parent = books.customer("Larch", CurrencyRef={"value": "EUR"})
    assert books.refuses(lambda: books.customer("House", Job=True, ParentRef={"value": parent["Id"]})).codes == (
        "6000",
    )


def test_who_a_job_bills_with_cannot_change_once_it_has_transactions(books: Books) -> None:
    job = books.customer("House", Job=True, ParentRef={"value": books.customer("Larch")["Id"]})
    books.update("Customer", job, BillWithParent=True)
    books.invoice(job)
    changed = books.get("Customer", job["Id"])
    assert books.refuses(lambda: books.update("Customer", changed, BillWithParent=False)).codes == ("6130",)


def test_tax_identifiers_are_masked(books: Books) -> None:
    assert books.customer(PrimaryTaxIdentifier="12345656789")["PrimaryTaxIdentifier"] == "XXXXXX56789"


def test_a_vendor_has_a_name_and_a_currency(books: Books) -> None:
    made = books.create("Vendor", DisplayName="Crane Hire 2")
    assert (made["DisplayName"], made["CurrencyRef"]["value"], made["SyncToken"]) == ("Crane Hire 2", "USD", "0")


@pytest.mark.parametrize("how", ["folded", "kept"])
def test_switch_inner_spaces(open_books: OpenBooks, how: str) -> None:
    """Teachworks help 1824445: 6240 for a name that differs by a space inside."""
    books = open_books(inner_spaces=how)
    made = books.customer("Anna  Fielding")
    assert made["DisplayName"] == "Anna  Fielding"
    if how == "folded":
        assert books.refuses(lambda: books.customer("anna Fielding")).codes == ("6240",)
    else:
        assert books.customer("anna Fielding")["DisplayName"] == "anna Fielding"
    # Its own name, spelt otherwise, is no other's.
    assert books.update("Customer", made, DisplayName="Anna   Fielding")["DisplayName"] == "Anna   Fielding"


@pytest.mark.parametrize("address", ["a..b@x.com", ".a@x.com", "a.@x.com", "a@-x.com", "a@x-.com", "a@x", "a@x..com"])
def test_an_address_with_an_empty_part_is_2210(books: Books, address: str) -> None:
    assert books.refuses(lambda: books.customer(PrimaryEmailAddr={"Address": address})).codes == ("2210",)
    customer = books.customer(PrimaryEmailAddr={"Address": "a.b-c@x-y.example"})
    assert books.refuses(lambda: books.invoice(customer, BillEmail={"Address": f"a@x.com, {address}"})).codes == (
        "2210",
    )
