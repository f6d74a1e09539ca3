"""What a person chose to keep, and what comes after it: a write of ours, a text, another edit, a closed period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from schemas.events import Step
from simulator.seeds import CANADA, UK, USA
from tests.cases.orders import amount, edit, gross, keep, link_client, link_object, owed, says, send, sheet, well
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
EDITED = (FAILED, "conflict:edited-in-qbo")
CLOSED = (FAILED, "books-closed")
TYPE = (FAILED, "conflict:type-changed")


@story(PLOTS, *THREE)
def _lines_go_with_the_customer_that_a_person_kept(one: Scene) -> Iterator[float | None]:
    """A bookkeeper moves i1 to Xylo, which is kept: later lines go there, and nobody is asked about the customer again."""
    one.say(one.invoice("i1"))
    yield
    currency = {} if one.like == USA else {"CurrencyRef": {"value": one.currency}}
    (xylo,) = one.bookkeeper("create", entity="Customer", members={"DisplayName": "Xylo", **currency})
    there = one.link().qbo_id
    one.bookkeeper("update", entity="Invoice", id=there, members={"CustomerRef": {"value": xylo["Id"]}})
    one.say(one.again("i1", **one.sums("110.00")))
    yield
    # The amounts are Kompass's; whose invoice it is, nobody has said yet.
    assert one.stands() == EDITED, one.why()
    assert one.link().reason.endswith("different from Kompass: customer")
    keep(one)
    one.say(one.again("i1", **one.sums("120.00")))
    yield
    assert one.stands() == SYNCED, one.why()
    assert (one.document()["CustomerRef"]["value"], owed(one)) == (xylo["Id"], gross(one, "120.00"))
    assert says(one)[:2] == (True, "left")
    assert [each.cause for each in one.failures(ever=True)] == ["conflict:edited-in-qbo"]


@story(PLOTS, *THREE)
def _a_type_that_was_left_is_left_on_the_sheet(one: Scene) -> Iterator[float | None]:
    """Invoice of 100, credit note of 100 in Kompass, kept: 200 with tax is left, until another amount is typed."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    keep(one)
    yield
    assert says(one)[:2] == (True, "left")
    assert sheet(one).verdict.endswith(f"1 ({gross(one, '200.00')} {one.currency}).")
    one.say(one.again("i1", details="a text"))
    yield
    assert one.stands() == SYNCED, one.why()
    amount(one, "50.00")
    assert says(one)[:2] == (False, "differs")


@story(PLOTS, UK)
def _a_type_that_was_left_is_asked_about_with_other_amounts(one: Scene) -> Iterator[float | None]:
    """Kept at 100; then 90: that was never looked at. Then an invoice again: the choice is over, also for the next credit note."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    keep(one)
    one.say(one.credit("i1", "-90.00"))
    yield
    assert one.stands() == TYPE, one.why()
    one.say(one.invoice("i1", "100.00"))
    yield
    well(one)
    one.say(one.credit("i1", "-90.00"))
    yield
    assert one.stands() == TYPE, one.why()


@story(PLOTS, UK, CANADA)
def _a_changed_type_is_kept_in_a_closed_period(one: Scene) -> Iterator[float | None]:
    """Send is refused, since the period is closed; its remedy says to press Keep, and that works."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.credit("i1", "-100.00"))
    yield
    send(one)
    yield
    assert one.stands() == CLOSED, one.why()
    assert "press Keep what QuickBooks says" in one.failures()[0].remedy
    keep(one)
    yield
    assert says(one)[:2] == (True, "left")
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, *THREE)
def _what_was_taken_back_in_a_closed_period_is_kept(one: Scene) -> Iterator[float | None]:
    """March is closed with i1 to i3. i3 was rejected before, i1 is deleted, i2 a draft: nobody can void them, so a person keeps them."""
    one.say(one.invoice("i1"), one.invoice("i2"), one.invoice("i3"))
    yield
    one.say(one.again("i3", step=Step.REJECTED))
    yield
    assert one.stands("i3")[0] == "withdrawn"
    one.bookkeeper("close_books", date="2026-03-31")
    one.press("i3")
    yield
    one.delete("i1", "invoice")
    one.say(one.again("i2", step=Step.DRAFT))
    yield
    for each in ("i1", "i2", "i3"):
        assert one.stands(each) == CLOSED, one.why(each)
        assert "taken back" in one.link(each).reason
        assert "press Keep what QuickBooks says" in one.failures()[0].remedy
        assert says(one, each)[:2] == (False, "withdrawn")
    for each in ("i1", "i3"):
        keep(one, each)
    send(one, "i2")
    yield
    for each in ("i1", "i3"):
        assert one.stands(each) == SYNCED, one.why(each)
        assert says(one, each)[1] == "left"
    # The other side sends nothing: what is taken back is left to people, and the question is the same.
    assert (one.stands("i2"), owed(one)) == (CLOSED, 3 * gross(one, "100.00"))
    # The choice lasts, also for a void in Kompass; an approval ends it.
    one.say(one.again("i1", step=Step.VOIDED), one.again("i3", step=Step.APPROVED), one.again("i2", step=Step.APPROVED))
    yield
    assert (one.stands("i1"), says(one)[:2]) == (SYNCED, (True, "left"))
    for each in ("i2", "i3"):
        assert (one.stands(each), says(one, each)[:2]) == (SYNCED, (True, "agrees")), one.why(each)


@story(PLOTS, UK)
def _what_was_taken_back_is_withdrawn_once_the_period_is_open(one: Scene) -> Iterator[float | None]:
    """The other way of the remedy: the period is opened, and the document is voided there."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", step=Step.REJECTED))
    yield
    one.press("i1")
    yield
    assert one.stands() == CLOSED, one.why()
    one.bookkeeper("close_books", date=None)
    one.press("i1")
    yield
    assert one.stands()[0] == "withdrawn", one.why()
    one.bookkeeper("void", entity="Invoice", id=one.link().qbo_id)
    one.press("i1")
    yield
    assert says(one)[:2] == (True, "not-sent"), one.why()


@story(PLOTS, UK)
def _a_changed_type_is_kept_though_a_payment_is_applied(one: Scene) -> Iterator[float | None]:
    """What keeps the former document from being voided is no reason against keeping it."""
    one.say(one.invoice("i1"))
    yield
    one.pay("i1")
    one.say(one.credit("i1", "-100.00"))
    yield
    send(one)
    yield
    keep(one)
    yield
    assert one.stands() == SYNCED, one.why()
    assert says(one)[:2] == (True, "left")


@story(PLOTS, UK, USA)
def _a_text_in_a_closed_period_ends_no_choice(one: Scene) -> Iterator[float | None]:
    """March is closed with i1 left at 100 for 150. QuickBooks takes no text there either; its remedy bids nobody type a difference."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    assert one.failures()[0].remedy.startswith("Type the difference into QuickBooks")
    keep(one)
    one.say(one.again("i1", details="a text"))
    yield
    assert one.stands() == CLOSED, one.why()
    assert one.failures()[0].remedy.startswith(
        "What it bills has not changed, so there is nothing to type into QuickBooks"
    )
    assert says(one)[:2] == (True, "left")
    keep(one)
    yield
    assert (one.stands(), says(one)[:2]) == (SYNCED, (True, "left"))
    one.say(one.again("i1", **one.sums("170.00")))
    yield
    assert (one.stands(), says(one)[:2]) == (CLOSED, (False, "differs"))


@story(PLOTS, UK)
def _what_was_left_says_its_number_and_dates(one: Scene) -> Iterator[float | None]:
    """Left at 130 for 110; the bookkeeper also gives it another number and due date."""
    one.say(one.invoice("i1"))
    yield
    amount(one, "130.00")
    one.say(one.again("i1", **one.sums("110.00")))
    yield
    keep(one)
    yield
    edit(one, DocNumber="B-9", DueDate="2026-05-05")
    agrees, standing, remark = says(one)
    assert (agrees, standing) == (True, "left")
    assert remark.endswith(
        "number B-9 in QuickBooks, INV-i1 was sent; due 2026-05-05 in QuickBooks, 2026-03-31 in Kompass"
    )


@story(PLOTS, UK)
def _a_date_that_was_left_and_put_right_is_right(one: Scene) -> Iterator[float | None]:
    """Left in March, which is closed; the bookkeeper reopens it and moves i1 to April, where Kompass dates it."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", date=dt.date(2026, 4, 3)))
    yield
    keep(one)
    yield
    assert says(one, month="2026-04")[:2] == (True, "left")
    one.bookkeeper("close_books")
    edit(one, TxnDate="2026-04-03")
    assert says(one, month="2026-04") == (True, "agrees", "")


@story(PLOTS, *THREE)
def _try_again_reads_what_was_changed_in_quickbooks_alone(one: Scene) -> Iterator[float | None]:
    """130 is typed over 100, and Kompass says nothing. Try again shows both sides; kept, and then 140 is typed: it does so again."""
    one.say(one.invoice("i1"))
    yield
    amount(one, "130.00")
    one.press()
    yield
    assert one.stands() == EDITED, one.why()
    keep(one)
    yield
    assert says(one)[:2] == (True, "left")
    one.press()
    yield
    assert (one.stands(), says(one)[:2]) == (SYNCED, (True, "left"))
    amount(one, "140.00")
    one.press()
    yield
    assert one.stands() == EDITED, one.why()
    send(one)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, UK)
def _try_again_reads_what_was_left_void(one: Scene) -> Iterator[float | None]:
    """A void that was left in a closed period; 50 is typed over 100 there. Try again asks about it."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    keep(one)
    one.press()
    yield
    assert (one.stands(), says(one)[:2]) == (SYNCED, (True, "left"))
    one.bookkeeper("close_books")
    amount(one, "50.00")
    one.bookkeeper("close_books", date="2026-03-31")
    one.press()
    yield
    assert (one.stands(), says(one)[:2]) == (CLOSED, (False, "differs"))


@story(PLOTS, *THREE)
def _a_conflict_over_the_customer_is_over_once_the_client_is_linked(one: Scene) -> Iterator[float | None]:
    """The customer is merged into Quay, and a text in Kompass finds that. Then the client is linked to Quay: the text goes."""
    one.configure(project_customers=False)
    one.say(one.invoice("i1"))
    yield
    former = one.link("c1", "client").qbo_id
    currency = {} if one.like == USA else {"CurrencyRef": {"value": one.currency}}
    (quay,) = one.bookkeeper("create", entity="Customer", members={"DisplayName": "Quay", **currency})
    one.bookkeeper("merge", id=former, into=quay["Id"])
    one.say(one.again("i1", details="a text"))
    yield
    assert one.stands() == EDITED, one.why()
    link_client(one, "c1", quay, gone=former)
    yield
    well(one)
    assert one.document()["CustomerMemo"]["value"] == "a text"


@story(PLOTS, UK)
def _a_conflict_over_the_job_is_over_once_the_project_is_linked(one: Scene) -> Iterator[float | None]:
    """The same of a job that was merged into another one."""
    one.say(one.invoice("i1"))
    yield
    members = {"DisplayName": "Other", "Job": True, "ParentRef": {"value": one.link("c1", "client").qbo_id}}
    (other,) = one.bookkeeper(
        "create", entity="Customer", members={**members, "BillWithParent": True, "CurrencyRef": {"value": one.currency}}
    )
    one.bookkeeper("merge", id=one.link("p1", "project").qbo_id, into=other["Id"])
    one.say(one.again("i1", details="a text"))
    yield
    assert one.stands() == EDITED, one.why()
    link_object(one, "p1", other, "Customer", "project")
    yield
    well(one)


@story(PLOTS, UK)
def _what_was_linked_with_another_amount_can_be_kept(one: Scene) -> Iterator[float | None]:
    """i2 of 300 is linked to what was typed at 100: the month differs. Try again shows both sides; kept, it agrees."""
    one.say(one.invoice("i1"))
    yield
    there = one.document()
    lines = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in there["Line"]
        if each["DetailType"] == "SalesItemLineDetail"
    ]
    members = {name: there[name] for name in ("CustomerRef", "TxnDate", "CurrencyRef", "GlobalTaxCalculation")}
    (typed,) = one.bookkeeper("create", entity="Invoice", members={**members, "Line": lines, "DocNumber": "T-1"})
    one.configure(enabled=False)
    one.say(one.invoice("i2", "300.00"))
    yield
    link_object(one, "i2", typed, "Invoice")
    one.configure(enabled=True)
    yield
    assert (one.stands("i2"), says(one, "i2")[:2]) == (SYNCED, (False, "differs"))
    one.press("i2")
    yield
    assert one.stands("i2") == EDITED, one.why("i2")
    keep(one, "i2")
    yield
    assert (one.stands("i2"), says(one, "i2")[:2]) == (SYNCED, (True, "left"))


@story(PLOTS, UK)
def _a_void_in_quickbooks_alone_is_shown_and_kept(one: Scene) -> Iterator[float | None]:
    """Voided by hand, and Kompass says nothing: Try again says so, and both ways of its remedy work."""
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield
    for each in ("i1", "i2"):
        one.bookkeeper("void", entity="Invoice", id=one.link(each).qbo_id)
        one.press(each)
    yield
    assert one.stands() == (FAILED, "conflict:voided-in-qbo"), one.why()
    assert one.link().reason == "Invoice INV-i1 was voided by hand in QuickBooks, and in Kompass it is not void"
    keep(one)
    one.say(one.again("i2", step=Step.VOIDED))
    yield
    assert (one.stands(), one.stands("i2")) == (SYNCED, SYNCED)
    assert (says(one)[:2], says(one, "i2")[:2]) == ((True, "left"), (True, "agrees"))
