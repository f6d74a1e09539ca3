"""What a sentence says to do is done as its person would, and the record goes without another button than the one it names."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas.events import Step
from sync.by_hand import CannotLink, Existing, link_existing
from tests.integration.situations.company import SYNCED, Company
from tests.integration.situations.world import World


def typed(one: Company, number: str, *, amount: int = 55) -> dict[str, object]:
    """A document that the bookkeeper typed in, of a customer of their own."""
    currency = {"value": one.place.currency}
    customer = one.bookkeeper(
        "create", entity="Customer", members={"DisplayName": f"Of {number}", "CurrencyRef": currency}
    )[0]
    detail: dict[str, object] = {"ItemRef": {"value": one.objects("Item")[0]["Id"]}}
    more: dict[str, object] = {"CurrencyRef": currency}
    if one.place.vat is not None:
        detail["TaxCodeRef"] = {"value": one.pipeline.object_id(one.realm, "TaxCode", one.place.tax_code)}
        more["GlobalTaxCalculation"] = "TaxExcluded"
    line = {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    members = {
        "DocNumber": number,
        "CustomerRef": {"value": customer["Id"]},
        "Line": [line],
        "TxnDate": "2026-03-01",
        **more,
    }
    (made,) = one.bookkeeper("create", entity="Invoice", members=members)
    return made


def linked(one: Company, kind: str, which: str, there: dict[str, object], entity: str) -> None:
    existing = Existing(
        entity, str(there["Id"]), str(there.get("DocNumber") or there.get("DisplayName")), one.place.currency
    )
    one.by_hand(lambda db: link_existing(db, one.link(kind, which).id, existing, by="ada"))


def test_the_document_that_has_the_number_is_linked_by_hand(three: list[Company]) -> None:
    """11a. It keeps what it says; what differs is shown; the next change of Kompass goes to it."""
    for one in three:
        there = typed(one, "INV-i1", amount=100)
        one.said(one.invoice())
        assert one.stands() == ("failed", "number-taken"), one.why()
        linked(one, "invoice", "i1", there, "Invoice")
        one.go()
        assert one.causes() == []
        assert one.link().qbo_id == there["Id"]
        one.said(one.invoice("i1", details="Thank you"))
        (document,) = one.objects()
        assert (document["Id"], document["CustomerMemo"]["value"]) == (there["Id"], "Thank you")
        assert one.stands() == SYNCED, one.why()


@pytest.mark.parametrize("voided", [False, True], ids=["open", "voided"])
def test_a_number_that_is_taken_is_freed_in_quickbooks(three: list[Company], voided: bool) -> None:
    """11b. The other document gets another number; a void alone does not free it."""
    for one in three:
        there = typed(one, "INV-i1")
        if voided:
            one.bookkeeper("void", entity="Invoice", id=there["Id"])
        one.said(one.invoice())
        assert one.stands() == ("failed", "number-taken"), one.why()
        one.bookkeeper("update", entity="Invoice", id=there["Id"], members={"DocNumber": "OLD-1"})
        one.try_again()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert sorted(row["DocNumber"] for row in one.objects()) == ["INV-i1", "OLD-1"]


def test_a_number_that_is_taken_is_changed_in_kompass(three: list[Company]) -> None:
    """11c. Without a button."""
    for one in three:
        typed(one, "INV-i1")
        one.said(one.invoice())
        one.said(one.invoice(reference="INV-i1-A"))
        assert one.stands() == SYNCED, one.why()
        assert one.failures() == []


def test_a_project_is_linked_to_the_quickbooks_project_that_swallowed_its_job(three: list[Company]) -> None:
    """11d. Three invoices wait; one link by hand, and all go there without a further button."""
    for one in three:
        one.said(one.project())
        job, customer = one.link("project", "p1").qbo_id, one.link("client", "c1").qbo_id
        (made,) = one.bookkeeper("project", name="The survey", customer=customer)
        one.bookkeeper("merge", id=job, into=made["Id"])
        one.said(*[one.invoice(f"i{number}") for number in range(3)])
        assert {one.link(id=f"i{number}").state for number in range(3)} <= {"failed", "waiting"}, one.why(id="i0")
        linked(one, "project", "p1", made, "Customer")
        one.go()
        assert [one.stands(id=f"i{number}") for number in range(3)] == [SYNCED] * 3, one.why(id="i0")
        assert {row["CustomerRef"]["value"] for row in one.objects()} == {made["Id"]}
        assert one.failures() == []


def test_a_void_in_a_closed_period_is_a_credit_note_in_the_open_one(three: list[Company]) -> None:
    """11e. The sentence says so, the credit note goes, and the void is closed by a person for good."""
    for one in three:
        one.said(one.invoice())
        one.close_books("2026-03-31")
        one.said(one.invoice(step=Step.VOIDED))
        (failure,) = one.failures()
        assert failure.cause == "books-closed"
        assert "credit note" in failure.remedy
        one.said(one.invoice("credit", "-100.00", date=dt.date(2026, 4, 2)))
        assert one.stands(id="credit") == SYNCED
        assert one.owed() == 0
        one.choose_quickbooks()
        one.go()
        assert one.failures() == []
        one.hours(60, each=6 * 3600)
        assert one.failures() == [], one.why()
        assert one.there()["TotalAmt"] == one.gross("100.00")


def test_a_document_that_cannot_be_moved_out_of_a_closed_period_is_dated_back(three: list[Company]) -> None:
    """11f. The sentence says that QuickBooks moves nothing out of it; dated back in Kompass, nothing is left to do."""
    for one in three:
        one.said(one.invoice())
        one.close_books("2026-03-31")
        one.said(one.invoice(date=dt.date(2026, 4, 2)))
        (failure,) = one.failures()
        assert (failure.cause, "closed" in failure.message) == ("books-closed", True)
        assert "date the document after" not in failure.remedy
        calls = one.calls("update", "Invoice")
        one.said(one.invoice())
        assert one.stands() == SYNCED, one.why()
        assert one.failures() == []
        assert one.calls("update", "Invoice") == calls


def test_a_name_override_lets_client_job_and_invoice_go(three: list[Company]) -> None:
    """11g. A vendor has the client's name, and an employee the sub-customer's."""
    for one in three:
        one.bookkeeper("create", entity="Vendor", members={"DisplayName": "Harbour & Sons c1"})
        one.said(one.invoice())
        assert one.stands() == ("waiting", "dependency:name-taken"), one.why()
        one.name("Harbour & Sons (client)")
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert one.failures() == []


def test_try_again_on_the_invoice_alone_is_enough_once_its_customer_is_active_again(three: list[Company]) -> None:
    """11h. The sub-customer was made inactive by mistake, and active again."""
    for one in three:
        one.said(one.project())
        job = one.link("project", "p1").qbo_id
        one.bookkeeper("deactivate", entity="Customer", id=job)
        one.said(one.invoice())
        assert one.link().state == "failed", one.why()
        one.bookkeeper("reactivate", entity="Customer", id=job)
        one.press_try_again()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert one.failures() == []


def test_a_client_is_linked_to_the_customer_that_it_was_merged_into(world: World) -> None:
    """11i. What waits goes to the survivor, and edits of what was sent before go on."""
    for one in (world.company(), world.company()):
        one.configure(project_customers=False)
        one.said(one.invoice("old"))
        gone = one.link("client", "c1").qbo_id
        currency = {"value": one.place.currency}
        (stays,) = one.bookkeeper(
            "create", entity="Customer", members={"DisplayName": "Survivor", "CurrencyRef": currency}
        )
        one.bookkeeper("merge", id=gone, into=stays["Id"])
        one.said(one.invoice("new"))
        assert one.link(id="new").state == "failed", one.why(id="new")
        one.link_client(stays)
        one.go()
        assert one.stands(id="new") == SYNCED, one.why(id="new")
        assert one.there(id="new")["CustomerRef"]["value"] == stays["Id"]
        one.said(one.invoice("old", details="Thank you"))
        assert one.there(id="old")["CustomerMemo"]["value"] == "Thank you", one.why(id="old")
        assert one.there(id="old")["CustomerRef"]["value"] == stays["Id"]


def test_a_paid_conflict_ends_in_kompass_as_well_as_in_quickbooks(three: list[Company]) -> None:
    """11j. Kompass goes back to the old amount: no button. Or the payment is undone: Try again."""
    for one in three:
        one.said(one.invoice("back"), one.invoice("undone"))
        for which in ("back", "undone"):
            one.pay(which)
        one.said(one.invoice("back", "300.00"), one.invoice("undone", "300.00"))
        assert one.causes() == ["conflict:paid"] * 2
        one.said(one.invoice("back"))
        assert one.stands(id="back") == SYNCED, one.why(id="back")
        assert one.causes() == ["conflict:paid"]
        payments = [
            row for row in one.objects("Payment")
            if any(link["TxnId"] == one.link(id="undone").qbo_id for part in row["Line"] for link in part["LinkedTxn"])
        ]  # fmt: skip
        one.bookkeeper("delete", entity="Payment", id=payments[0]["Id"])
        one.try_again()
        one.go()
        assert one.stands(id="undone") == SYNCED, one.why(id="undone")
        assert one.there(id="undone")["TotalAmt"] == one.gross("300.00")
        assert one.there(id="back")["Balance"] == one.gross("100.00") - 40


def test_recreate_pressed_twice_makes_one_document(three: list[Company]) -> None:
    """11k. Two people press it, one while the call is under way."""
    for one in three:
        one.said(one.invoice())
        one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
        one.said(one.invoice("i1", "150.00"))
        assert one.stands() == ("failed", "deleted-in-qbo"), one.why()
        one.choose_kompass()
        attempts = one.claim()
        one.choose_kompass()
        one.pipeline.settle(*one.pipeline.answers(attempts))
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert [row["TotalAmt"] for row in one.objects()] == [one.gross("150.00")]


def test_another_item_in_the_mapping_lets_twenty_invoices_go(three: list[Company]) -> None:
    """11l. The default item was made inactive in QuickBooks; the admin chooses another one."""
    for one in three:
        one.said(one.project())
        (item,) = [row.default_item_id for row in one.pipeline.rows("qbo_configuration") if row.org_id == one.org.id]
        one.bookkeeper("deactivate", entity="Item", id=item)
        one.say(*[one.invoice(f"i{number}") for number in range(20)])
        one.go(together=30)
        assert {one.link(id=f"i{number}").state for number in range(20)} == {"failed"}, one.why(id="i0")
        other = next(
            row["Id"] for row in one.objects("Item")
            if row["Id"] != item and row["Type"] != "Category" and row["Active"]
        )  # fmt: skip
        one.configure(default_item_id=other)
        one.go(together=30)
        assert {one.stands(id=f"i{number}") for number in range(20)} == {SYNCED}, one.why(id="i0")
        assert one.failures() == []


def test_a_document_that_stands_for_another_invoice_is_not_linked_a_second_time(company: Company) -> None:
    """11a, and the admin mistypes the Id: the document of another invoice is refused in words."""
    company.said(company.invoice("i0"))
    typed(company, "INV-i1")
    company.said(company.invoice())
    with pytest.raises(CannotLink, match="stands for INV-i0"):
        linked(company, "invoice", "i1", company.there(id="i0"), "Invoice")
