"""Projects, which QuickBooks' own pages make, and customers that were merged into others."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import CANADA, IRELAND, UK
from simulator.bookkeeper import BookkeeperError, edit

from .conftest import Books, OpenBooks, line


def project(books: Books, customer: dict[str, Any], name: str = "House") -> dict[str, Any]:
    return edit(books.company, {"action": "project", "name": name, "customer": customer["Id"]})[0]


def job(books: Books, customer: dict[str, Any], name: str = "Phase 1") -> dict[str, Any]:
    return books.customer(name, Job=True, ParentRef={"value": customer["Id"]})


def merge(books: Books, gone: dict[str, Any], stays: dict[str, Any]) -> None:
    edit(books.company, {"action": "merge", "id": gone["Id"], "into": stays["Id"]})


def test_a_project_is_a_job_that_no_request_can_make(books: Books) -> None:
    customer = books.customer()
    made = project(books, customer)
    assert (made["IsProject"], made["Job"], made["ParentRef"]["value"]) == (True, True, customer["Id"])
    assert job(books, customer)["IsProject"] is False
    # IsProject is read-only, and stays what it is.
    assert books.update("Customer", made, IsProject=False, Notes="x")["IsProject"] is True
    assert books.customer("Sent", IsProject=True)["IsProject"] is False


def test_a_project_has_a_customer_and_no_subcustomers(books: Books) -> None:
    made = project(books, books.customer())
    refused = books.refuses(lambda: job(books, made))
    assert "A project cannot contain subcustomers" in refused.errors[0].detail
    assert books.refuses(lambda: books.update("Customer", made, Job=False)).codes == ("6000",)


@pytest.mark.parametrize("realm", [UK, CANADA, IRELAND])
def test_a_job_that_was_merged_into_a_project_is_gone(open_books: OpenBooks, realm: str) -> None:
    """QuickBooks' help: the job's Id answers 610, its documents are the project's."""
    books = open_books(realm)
    customer = books.customer()
    old, new = job(books, customer), project(books, customer)
    made = books.invoice(old, line(100, "1"))
    merge(books, old, new)
    assert books.refuses(lambda: books.update("Customer", old, Notes="x")).codes == ("610",)
    assert books.get("Invoice", made["Id"])["CustomerRef"]["value"] == new["Id"]
    assert books.get("Customer", new["Id"])["Balance"] == made["Balance"]
    assert books.refuses(lambda: books.invoice(old, line(100, "1"))).codes == ("2500",)
    # Its name is free again.
    assert job(books, customer)["DisplayName"] == "Phase 1"


def test_nothing_with_jobs_goes_into_a_project(books: Books) -> None:
    customer, other = books.customer(), books.customer("Birch")
    job(books, customer)
    with pytest.raises(BookkeeperError, match="a project cannot contain subcustomers"):
        merge(books, customer, project(books, other))


@pytest.mark.parametrize("how", ["inactive", "gone"])
def test_switch_merged_customer(open_books: OpenBooks, how: str) -> None:
    books = open_books(merged_customer=how)
    gone, stays = books.customer(), books.customer("Birch")
    below = job(books, gone)
    books.invoice(gone)
    merge(books, gone, stays)
    assert books.get("Customer", stays["Id"])["Balance"] == 100
    assert books.get("Customer", below["Id"])["FullyQualifiedName"] == "Birch:Phase 1"
    if how == "gone":
        assert books.company.get("Customer", gone["Id"]) is None
        assert books.refuses(lambda: books.update("Customer", gone, Notes="x")).codes == ("610",)
    else:
        dead = books.get("Customer", gone["Id"])
        assert (dead["Active"], dead["DisplayName"]) == (False, "Larch (deleted)")
