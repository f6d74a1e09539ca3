"""A start date decides about what was never sent, and about nothing else, however often it is moved."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from schemas.events import Step
from tests.integration.situations.company import SYNCED, Company
from tests.integration.situations.test_no_second_create import refused_but_saved

BEFORE = ("skipped", "before-start-date")


def on(month: int, day: int) -> dt.date:
    return dt.date(2026, month, day)


def start(one: Company, date: dt.date | None) -> None:
    one.configure(start_date=date)
    one.go()


def test_a_start_date_that_is_moved_back_and_forth_while_documents_go(three: list[Company]) -> None:
    """10a. A goes; B is too early, then not, then its void comes; C is too early and goes in the end."""
    for one in three:
        start(one, on(1, 1))
        one.said(one.invoice("A", date=on(1, 15)))
        start(one, on(3, 1))
        one.said(one.invoice("B", date=on(2, 10)))
        assert one.stands(id="B") == BEFORE
        one.said(one.invoice("A", "200.00", date=on(1, 15)))
        assert one.there(id="A")["TotalAmt"] == one.gross("200.00")
        start(one, on(2, 1))
        assert one.stands(id="B") == SYNCED, one.why(id="B")
        start(one, on(4, 1))
        one.said(one.invoice("B", step=Step.VOIDED, date=on(2, 10)), one.invoice("C", date=on(3, 5)))
        assert one.there(id="B")["TotalAmt"] == 0
        assert one.stands(id="C") == BEFORE
        start(one, on(3, 1))
        assert one.stands(id="C") == SYNCED
        start(one, None)
        assert [len(one.marked(which)) for which in "ABC"] == [1, 1, 1]
        assert one.failures(ever=True) == []


def test_the_day_itself_is_sent_and_the_day_before_is_not(three: list[Company]) -> None:
    """10b. Also for a credit note, and for a document of that day in a foreign currency."""
    for one in three:
        start(one, on(3, 1))
        one.said(
            one.invoice("day", date=on(3, 1)),
            one.invoice("eve", date=on(2, 28)),
            one.invoice("credit", "-10.00", date=on(3, 1)),
            one.invoice("early-credit", "-10.00", date=on(2, 28)),
        )
        assert [one.stands(id=which) for which in ("day", "eve", "credit", "early-credit")] == [
            SYNCED,
            BEFORE,
            SYNCED,
            BEFORE,
        ]


def test_a_document_that_is_dated_otherwise_in_kompass(three: list[Company]) -> None:
    """10c. Never sent and dated after the start date by now: it goes. Sent and dated before it by now: the new date goes."""
    for one in three:
        start(one, on(3, 1))
        one.said(one.invoice("late", date=on(2, 1)), one.invoice("sent", date=on(3, 2)))
        assert one.stands(id="late") == BEFORE
        one.said(one.invoice("late", date=on(3, 3)), one.invoice("sent", date=on(2, 2)))
        assert (one.stands(id="late"), one.stands(id="sent")) == (SYNCED, SYNCED)
        assert (one.there(id="late")["TxnDate"], one.there(id="sent")["TxnDate"]) == ("2026-03-03", "2026-02-02")


def test_a_lost_document_is_found_although_the_start_date_moved_past_it(three: list[Company]) -> None:
    """10d. Its answer is lost, or it was refused and saved: it stands in the books, and its void has to get there."""
    for one in three:
        one.said(one.project())
        one.say(one.invoice("lost"))
        one.lost()
        refused_but_saved(one)
        one.configure(start_date=on(4, 1))
        one.later()
        one.go()
        for which in ("lost", "i1"):
            assert one.link(id=which).qbo_id == one.marked(which)[0]["Id"], one.why(id=which)
        one.said(one.invoice("lost", step=Step.VOIDED), one.invoice("i1", step=Step.VOIDED))
        assert [row["TotalAmt"] for row in one.objects()] == [0, 0]


def test_a_failure_ends_when_the_start_date_moves_past_its_document(three: list[Company]) -> None:
    """10e. Nothing of it was ever sent: all clear, and no daily retry. Moved back, it fails again."""
    for one in three:
        one.said(one.invoice("i1", reference="R" * 22))
        assert one.link().state == "failed"
        assert len(one.mails(minutes=5)) == 1
        start(one, on(4, 1))
        assert one.stands() == BEFORE
        assert one.failures() == []
        assert len(one.mails(hours=2)) == 1
        one.hours(30, each=3600 * 6)
        assert one.objects() == []
        start(one, None)
        assert one.link().state == "failed"
        assert len(one.failures()) == 1
        assert len(one.mails(hours=2)) == 1


def test_a_withdrawn_document_that_was_deleted_is_no_document_of_before_the_start_date(three: list[Company]) -> None:
    """10f. Taken back, deleted in QuickBooks as asked, the start date moves past it, approved again."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice(step=Step.REJECTED))
        assert one.link().state == "withdrawn"
        one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
        start(one, on(4, 1))
        one.said(one.invoice())
        assert one.stands() == ("failed", "deleted-in-qbo"), one.why()
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert one.there()["TotalAmt"] == one.gross("100.00")


def test_a_credit_note_goes_although_its_invoice_is_too_early(three: list[Company]) -> None:
    """10g. The invoice was booked by hand before the start date; its credit note is Kompass's."""
    for one in three:
        start(one, on(3, 1))
        one.said(one.invoice("i1", date=on(2, 1)), one.invoice("i2", "-100.00", date=on(3, 1)))
        assert (one.stands(), one.stands(id="i2")) == (BEFORE, SYNCED)
        assert one.owed() == -one.gross("100.00")


def test_what_waits_for_a_failed_client_does_not_wait_once_it_is_too_early(three: list[Company]) -> None:
    """10h. A client whose name is taken holds an invoice up; the start date moves past it, and back."""
    for one in three:
        one.bookkeeper("create", entity="Vendor", members={"DisplayName": "Harbour & Sons c1"})
        one.said(one.invoice())
        assert one.stands() == ("waiting", "dependency:name-taken"), one.why()
        start(one, on(4, 1))
        assert one.stands() == BEFORE
        one.said(one.client(name="Harbour & Sons (client)"))
        assert one.objects() == []
        start(one, None)
        assert one.stands() == SYNCED, one.why()
        assert [row["TotalAmt"] for row in one.objects()] == [one.gross("100.00")]
        assert isinstance(one.owed(), Decimal)
