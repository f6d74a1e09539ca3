"""A create that may have arrived is looked for before another one, no matter what people press, change or restore meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from consumers.ingest.batch import Ingest
from schemas.events import InvoiceType, Kind, Step
from store import restores
from tests.integration.situations.company import SELF_NUMBERED_PLACE, SYNCED, Company
from tests.integration.situations.world import World

IN_DOUBT = ("failed", "conflict:in-doubt")

SAVED = {"kind": "saved_anyway", "entity": "Invoice", "operation": "create"}
"""Answered 6000 "try again", and saved."""


def refused_but_saved(one: Company, **invoice: Any) -> None:
    """One invoice whose create was saved and refused; its customer and sub-customer are there."""
    one.said(one.project())
    one.trouble(**SAVED, count=1)
    one.say(one.invoice(**invoice))
    one.turn()
    assert one.link().state == "retrying", one.link()
    assert len(one.marked()) == 1


def restored(one: Company, *, without: str) -> None:
    """Be restored from a backup that knows nothing of this invoice."""
    for table in ("qbo_link", "qbo_record"):
        one.execute(
            f"DELETE FROM {table} WHERE org_id = :org AND kind = 'invoice' AND kompass_id = :id",
            org=one.org.id,
            id=without,
        )
    with one.pipeline.engine.begin() as db:
        restores.begin(db, datetime.now(UTC) - timedelta(hours=1))
    one.pipeline.cache.forget(one.org.id)
    one.pipeline.ingests = {kind: Ingest(one.pipeline.engine, one.pipeline.codec, kind) for kind in Kind}


def test_an_impatient_admin_presses_try_again_and_replays_three_times(world: World, three: list[Company]) -> None:
    """7a. Refused and saved; every button is pressed before and between the look-ups."""
    for one in three:
        refused_but_saved(one)
        for _ in range(3):
            one.press_try_again()
            one.try_again()
            one.turn()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert [row["Id"] for row in one.marked()] == [one.link().qbo_id]
        assert one.failures(ever=True) == []
        assert "found" in one.why() or "earlier call" in one.why()
        assert one.mails(hours=2) == []


def test_a_restore_in_the_middle_of_a_look_up_makes_nothing_twice(company: Company) -> None:
    """7b. Refused and saved, Try again, the answer of the look-up lost; then the database of before comes back."""
    refused_but_saved(company)
    company.press_try_again()
    company.later()
    assert [one.phase for one in company.lost()] == ["lookup"]
    restored(company, without="i1")
    company.sequences["invoice i1"] = 0
    company.said(company.invoice())
    assert company.stands() == SYNCED, company.why()
    assert len(company.marked()) == 1


def test_a_document_that_was_numbered_by_the_company_and_by_hand_since_is_found(world: World) -> None:
    """7c. The company numbers itself, the answer is lost, the bookkeeper gives it a number of the old series."""
    one = world.company(SELF_NUMBERED_PLACE)
    one.said(one.project())
    one.say(one.invoice())
    one.lost()
    note = one.there()["PrivateNote"]
    one.change("invoice", "i1", DocNumber="A-1", PrivateNote=f"Called them on Monday\n{note}")
    one.later()
    one.go()
    assert one.stands() == SYNCED, one.why()
    assert [row["DocNumber"] for row in one.objects()] == ["A-1"]
    # A later change of Kompass goes to it, and leaves the bookkeeper's number alone.
    one.said(one.invoice("i1", "300.00"))
    assert [(row["DocNumber"], row["TotalAmt"]) for row in one.objects()] == [("A-1", Decimal("300.00"))]


def test_a_document_without_its_mark_is_asked_about_and_kept(world: World) -> None:
    """7d. As before, but the note is replaced, and the company does not warn of duplicates: a person has to say."""
    one = world.company(SELF_NUMBERED_PLACE)
    one.bookkeeper("setting", setting="warn_duplicates", on=False)
    one.said(one.project())
    one.say(one.invoice())
    one.lost()
    there = one.there()
    one.bookkeeper("update", entity="Invoice", id=there["Id"], members={"PrivateNote": "mine", "DocNumber": "A-1"})
    one.later()
    one.go()
    assert one.stands() == ("failed", "conflict:in-doubt"), one.why()
    one.try_again()
    one.go()
    one.said(one.invoice("i1", "300.00"))
    assert len(one.objects()) == 1
    one.choose_quickbooks()
    one.go()
    assert one.link().qbo_id == there["Id"]
    # That it is ours says nothing about its amounts: the sheet calls them different, not left as they are.
    assert one.link().adopted
    assert len(one.objects()) == 1
    assert "ada" in one.why()


def test_a_customer_that_was_renamed_before_we_looked_is_not_made_twice(three: list[Company]) -> None:
    """7e. A client's create is refused and saved; the bookkeeper corrects its name at once."""
    for one in three:
        one.trouble(kind="saved_anyway", entity="Customer", operation="create", count=1)
        one.say(one.client(name="Meadow Surveys"))
        one.turn()
        (there,) = one.objects("Customer")
        one.bookkeeper("rename", entity="Customer", id=there["Id"], name="Meadow Surveys Ltd")
        one.later(60)
        one.go()
        assert one.stands("client", "c1") == ("failed", "conflict:in-doubt"), one.why("client", "c1")
        # Neither Try again nor a change in Kompass makes a second one.
        one.press_try_again("client", "c1")
        one.go()
        one.said(one.client(name="Meadow Surveys", phone="0123"))
        assert len(one.objects("Customer")) == 1
        # The person says so under Sync errors, or links the client under Customers.
        if one is three[0]:
            one.link_client({**there, "DisplayName": "Meadow Surveys Ltd"})
        else:
            one.choose_quickbooks("client", "c1")
        one.go()
        assert one.stands("client", "c1") == SYNCED
        assert one.link("client", "c1").qbo_id == there["Id"]
        assert [row["DisplayName"] for row in one.objects("Customer")] == ["Meadow Surveys Ltd"]


def test_a_customer_that_only_looks_like_the_lost_one_is_another_when_a_person_says_so(company: Company) -> None:
    """7e, and the answer is the other one: a branch of the same firm, typed in at that very minute."""
    company.say(company.client(name="Meadow Surveys"))
    company.trouble(kind="not_found_page", entity="Customer", operation="create", count=1)
    company.turn()
    members = {"DisplayName": "Meadow, Bristol", "CompanyName": "Meadow Surveys", "CurrencyRef": {"value": "GBP"}}
    (branch,) = company.bookkeeper("create", entity="Customer", members=members)
    company.bookkeeper("update", entity="Customer", id=branch["Id"], members={"Notes": "the branch"})
    company.later(60)
    company.go()
    assert company.stands("client", "c1") == ("failed", "conflict:in-doubt"), company.why("client", "c1")
    company.choose_kompass("client", "c1")
    company.go()
    assert company.stands("client", "c1") == SYNCED
    assert sorted(row["DisplayName"] for row in company.objects("Customer")) == ["Meadow Surveys", "Meadow, Bristol"]


def test_a_client_that_kompass_renamed_before_we_looked_is_not_made_twice(three: list[Company]) -> None:
    """7e, the other way round: the bookkeeper changes the new customer's phone, and Kompass its name."""
    for one in three:
        one.say(one.client(name="Meadow Surveys"))
        one.lost()
        (there,) = one.objects("Customer")
        members = {"PrimaryEmailAddr": {"Address": "office@meadow.example"}}
        one.bookkeeper("update", entity="Customer", id=there["Id"], members=members)
        one.say(one.client(name="Meadow Surveys Ltd"))
        one.later()
        one.go()
        assert one.stands("client", "c1") == IN_DOUBT, one.why("client", "c1")
        # Neither another event nor Try again is a person's word that it is another customer.
        one.said(one.client(name="Meadow Surveys Ltd", phone="0117 496 0000"))
        one.try_again()
        one.go()
        assert one.stands("client", "c1") == IN_DOUBT, one.why("client", "c1")
        assert len(one.objects("Customer")) == 1
        one.choose_quickbooks("client", "c1")
        one.go()
        one.said(one.client(name="Meadow Surveys Ltd", phone="0117 496 0001"))
        assert one.stands("client", "c1") == SYNCED, one.why("client", "c1")
        (customer,) = one.objects("Customer")
        assert (customer["Id"], customer["PrimaryPhone"]["FreeFormNumber"]) == (there["Id"], "0117 496 0001")


def test_an_amount_that_changed_before_the_look_up_is_sent_to_the_document_found(three: list[Company]) -> None:
    """7f. Saved at 120, refused; Kompass says 150 before anybody looked."""
    for one in three:
        refused_but_saved(one)
        one.say(one.invoice("i1", "150.00"))
        one.later(60)
        one.go()
        assert one.stands() == SYNCED, one.why()
        (there,) = one.marked()
        assert there["TotalAmt"] == one.gross("150.00")


def test_a_void_before_the_look_up_voids_the_document_found(three: list[Company]) -> None:
    """7g. Saved, refused and voided in Kompass: it was sent, as far as the books are concerned."""
    for one in three:
        refused_but_saved(one)
        one.say(one.invoice(step=Step.VOIDED))
        one.later(60)
        one.go()
        (there,) = one.marked()
        assert there["TotalAmt"] == 0, one.why()
        assert one.link().voided


def test_a_document_taken_back_before_the_look_up_is_withdrawn(three: list[Company]) -> None:
    """7h. Saved, refused, Synchronize switched off: it is in QuickBooks, and people have to hear of it."""
    for one in three:
        refused_but_saved(one)
        one.say(one.invoice(synchronize=False))
        one.later(60)
        one.go()
        assert one.link().state == "withdrawn", one.why()
        one.said(one.invoice())
        assert one.stands() == SYNCED, one.why()
        assert len(one.marked()) == 1


def test_a_credit_note_that_quickbooks_applied_before_we_found_it_is_protected(company: Company) -> None:
    """7i. The answer is lost, and QuickBooks applies the credit memo to an open invoice at once."""
    company.bookkeeper("preferences", group="SalesFormsPrefs", members={"AutoApplyCredit": True})
    company.said(company.invoice("open", "500.00"))
    company.say(company.invoice("i1", "-100.00"))
    company.lost()
    company.later()
    company.go()
    assert company.stands() == SYNCED, company.why()
    (there,) = company.objects("CreditMemo")
    assert there["RemainingCredit"] == 0
    company.said(company.invoice("i1", "-50.00"))
    assert company.stands() == ("failed", "conflict:credit-applied"), company.why()
    assert "INV-open" in company.link().reason
    assert company.objects("CreditMemo") == [there]


def test_three_of_a_batch_that_were_refused_and_saved_are_there_once(company: Company) -> None:
    """7j. Twelve invoices in one request, three items saved and refused; then everything is replayed."""
    company.said(company.project())
    company.trouble(**SAVED, count=3)
    company.say(*[company.invoice(f"i{number}") for number in range(12)])
    company.go(together=30)
    company.later(60)
    company.go(together=30)
    company.try_again()
    for number in range(12):
        company.press_try_again(id=f"i{number}")
    company.go(together=30)
    assert len(company.objects()) == 12
    assert {company.stands(id=f"i{number}") for number in range(12)} == {SYNCED}
    assert company.failures(ever=True) == []


def test_a_document_that_was_deleted_before_we_looked_is_not_taken_for_there(company: Company) -> None:
    """7k. Saved and refused; the bookkeeper deletes it as a mistake before the look-up."""
    refused_but_saved(company)
    (there,) = company.marked()
    company.bookkeeper("delete", entity="Invoice", id=there["Id"])
    company.later(60)
    company.go()
    assert (company.link().state == "synced") == (len(company.marked()) == 1), company.why()
    assert len(company.marked()) <= 1


def test_a_type_that_changed_before_the_look_up_leaves_no_two_documents(company: Company) -> None:
    """12h. The create of an invoice is refused and saved; then Kompass makes a credit note of it."""
    refused_but_saved(company)
    assert company.invoice("i1", "-100.00").type is InvoiceType.CREDIT_NOTE
    company.say(company.invoice("i1", "-100.00"))
    company.later(60)
    company.go()
    assert company.objects("CreditMemo") == [], company.why()
    assert company.stands() == ("failed", "conflict:type-changed")
    company.choose_kompass()
    company.go()
    assert company.stands() == SYNCED, company.why()
    assert company.owed() == -company.gross("100.00")
