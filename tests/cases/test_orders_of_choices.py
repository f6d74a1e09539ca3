"""A person chooses at the worst moment: twice, the other way first, of something that has changed since, or with a call under way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from schemas.events import InvoiceType, Step
from simulator.seeds import CANADA, UK, USA
from tests.cases.orders import agrees, amount, call, cannot, gross, keep, later, owed, says, send, unpay, well
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
PAID = (FAILED, "conflict:paid")


def _paid(one: Scene, **changes: object) -> Iterator[float | None]:
    """i1 of 100 is paid in full, and Kompass changes it then: a person is asked."""
    one.say(one.invoice("i1"))
    yield
    one.pay("i1")
    one.say(one.again("i1", **(changes or one.sums("150.00"))))
    yield
    assert one.stands() == PAID, one.why()


@story(PLOTS, *THREE)
def _a_void_that_was_left_is_not_left_again_after_it_was_taken_back(one: Scene) -> Iterator[float | None]:
    """Void of a paid invoice: kept. Approved again. The payment is taken back. Voided again: that is another void."""
    yield from _paid(one, step=Step.VOIDED)
    keep(one)
    yield
    assert one.stands() == SYNCED
    one.say(one.again("i1", step=Step.APPROVED))
    yield
    well(one)
    unpay(one)
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    assert owed(one) == 0, one.why()


@story(PLOTS, UK)
def _a_void_that_was_left_stays_left_for_a_text(one: Scene) -> Iterator[float | None]:
    """What was left stays left while only a text of the void document changes."""
    yield from _paid(one, step=Step.VOIDED)
    keep(one)
    one.say(one.again("i1", details="a text"))
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, CANADA)
def _a_void_that_was_left_and_comes_back_with_other_amounts(one: Scene) -> Iterator[float | None]:
    """Approved again with other amounts: the payment protects it as before, and a person is asked."""
    yield from _paid(one, step=Step.VOIDED)
    keep(one)
    one.say(one.again("i1", step=Step.APPROVED, **one.sums("150.00")))
    yield
    assert one.stands() == PAID, one.why()
    unpay(one)
    one.press()
    yield
    well(one)
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, USA)
def _kept_and_then_sent_after_all(one: Scene) -> Iterator[float | None]:
    """Keep, and then Send on a page that was open still: the last choice counts, in every member."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper(
        "update", entity="Invoice", id=one.link().qbo_id, members={"DueDate": "2026-05-05", "TxnDate": "2026-03-09"}
    )
    one.say(one.again("i1", date=dt.date(2026, 3, 10), due_date=dt.date(2026, 4, 10), **one.sums("150.00")))
    yield
    if one.stands() != SYNCED:
        keep(one)
        yield
        send(one)
        yield
        there = one.document()
        assert (there["TxnDate"], there["DueDate"]) == ("2026-03-10", "2026-04-10")
    well(one)


@story(PLOTS, UK)
def _kept_by_one_of_what_kompass_has_changed_since(one: Scene) -> Iterator[float | None]:
    """The page shows 150; Kompass says 170 before Keep is pressed: that was never looked at."""
    yield from _paid(one)
    one.say(one.again("i1", **one.sums("170.00")))
    cannot(lambda: keep(one))
    yield
    assert one.stands() == PAID, one.why()
    keep(one)
    yield
    agrees(one)


@story(PLOTS, CANADA)
def _kept_while_a_void_that_nobody_saw_has_come(one: Scene) -> Iterator[float | None]:
    """The page shows other amounts; by now the document is void in Kompass."""
    yield from _paid(one)
    one.say(one.again("i1", step=Step.VOIDED))
    cannot(lambda: keep(one))
    yield
    assert "voided" in one.link().reason


@story(PLOTS, USA)
def _kept_on_an_old_page_of_what_cannot_be_mapped_by_now(one: Scene) -> Iterator[float | None]:
    """A row of the mapping is gone: that is another matter than the one that the person decides."""
    yield from _paid(one)
    one.configure(doc_number_template="{{ invoice.nothing }}")
    one.say(one.again("i1", **one.sums("170.00")))
    yield
    assert one.stands() == (FAILED, "template-error"), one.stands()
    cannot(lambda: keep(one))
    yield
    assert one.stands() == (FAILED, "template-error"), one.stands()


@story(PLOTS, UK)
def _kept_on_an_old_page_of_what_was_deleted_since(one: Scene) -> Iterator[float | None]:
    """What QuickBooks has no more is never counted as there."""
    yield from _paid(one)
    unpay(one)
    one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
    one.press()
    yield
    assert one.stands() == (FAILED, "deleted-in-qbo")
    cannot(lambda: keep(one))
    yield
    assert one.stands() == (FAILED, "deleted-in-qbo")


@story(PLOTS, CANADA)
def _kept_on_an_old_page_of_what_is_sent_as_another(one: Scene) -> Iterator[float | None]:
    """The document was deleted and Recreate was pressed; its create is refused for good. Keep keeps nothing."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    assert one.stands() == (FAILED, "deleted-in-qbo")
    one.bookkeeper("deactivate", entity="Item", id=one.world.pipeline.object_id(one.realm, "Item", "Surveying"))
    send(one)
    yield
    assert one.stands()[0] == FAILED, one.stands()
    cannot(lambda: keep(one))
    yield
    assert one.stands()[0] == FAILED, one.stands()
    one.bookkeeper(
        "reactivate", entity="Item", id=one.world.pipeline.object_id(one.realm, "Item", "Surveying (deleted)")
    )
    one.press()
    yield
    well(one)
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, *THREE)
def _kept_after_the_call_for_kompass_was_lost_before_it_arrived(one: Scene) -> Iterator[float | None]:
    """Send is pressed, the call is lost with its process; then Keep is pressed. Kompass's side never goes out again."""
    yield from _paid(one, date=dt.date(2026, 3, 10))
    send(one)
    call(one)
    one.trouble(kind="reset_before", count=1)
    call(one, lost=True)
    one.no_more_trouble()
    keep(one)
    yield
    assert one.document()["TxnDate"] == "2026-03-01", one.why()
    one.say(one.again("i1", details="a text"))
    yield
    assert one.document()["TxnDate"] == "2026-03-01", one.why()
    well(one)


@story(PLOTS, USA)
def _kept_after_the_call_for_kompass_arrived_and_its_answer_was_lost(one: Scene) -> Iterator[float | None]:
    """As before, but the call has arrived: then QuickBooks says what Kompass says, and that is known by the next change."""
    yield from _paid(one, date=dt.date(2026, 3, 10))
    send(one)
    call(one)
    call(one, lost=True)
    assert one.document()["TxnDate"] == "2026-03-10", one.why()
    later(one, 11)
    keep(one)
    yield
    one.say(one.again("i1", details="a text"))
    yield
    well(one)


@story(PLOTS, *THREE)
def _the_former_document_is_kept_and_then_sent_after_all(one: Scene) -> Iterator[float | None]:
    """Type changed: Keep; Kompass changes it again: Send. The number of the former document is free for the new one."""
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed")
    keep(one)
    yield
    one.say(one.credit("i1", "-90.00"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed")
    send(one)
    yield
    well(one)
    assert owed(one) == -gross(one, "90.00")


@story(PLOTS, UK)
def _the_former_document_is_kept_and_the_type_goes_back(one: Scene) -> Iterator[float | None]:
    """Type changed: Keep. Then it is an invoice again: it is what it was, under its number."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    keep(one)
    one.say(one.invoice("i1", "100.00"))
    yield
    well(one)
    assert (one.document()["DocNumber"], owed(one)) == ("INV-i1", gross(one, "100.00"))


@story(PLOTS, CANADA)
def _the_type_goes_back_while_the_former_document_makes_way(one: Scene) -> Iterator[float | None]:
    """Send was pressed and the former has its other number; then Kompass makes it an invoice again."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    send(one)
    call(one)
    call(one)
    one.say(one.invoice("i1", "100.00"))
    yield
    well(one)
    assert (one.document()["DocNumber"], owed(one)) == ("INV-i1", gross(one, "100.00"))


@story(PLOTS, USA)
def _the_credit_note_of_a_changed_type_is_applied(one: Scene) -> Iterator[float | None]:
    """A credit note is applied to an invoice, and becomes an invoice: unapplied and chosen again, it goes."""
    one.say(one.invoice("i2", "500.00"), one.credit("i1", "-100.00"))
    yield
    one.apply("i1", "i2", str(gross(one, "100.00")))
    one.say(one.again("i1", type=InvoiceType.INVOICE, **one.sums("100.00")))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed")
    assert "Payment" in one.link().reason
    send(one)
    yield
    assert one.stands() == (FAILED, "conflict:credit-applied"), one.why()
    unpay(one)
    one.press()
    yield
    if one.stands() == (FAILED, "conflict:type-changed"):
        send(one)
        yield
    well(one)
    assert owed(one) == gross(one, "600.00")


@story(PLOTS, UK)
def _a_payment_is_taken_back_before_kompass_changes_the_amount(one: Scene) -> Iterator[float | None]:
    """The payment was seen and is gone by now: nobody is asked, and nobody gets a mail."""
    one.say(one.invoice("i1"))
    yield
    one.pay("i1")
    one.say(one.again("i1", details="a text"))
    yield
    unpay(one)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    well(one)
    assert one.failures(ever=True) == []
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, CANADA)
def _sent_and_kept_by_two_at_once(one: Scene) -> Iterator[float | None]:
    """Two people press, one this and one that, before anything goes: the last one counts."""
    yield from _paid(one, date=dt.date(2026, 3, 10))
    send(one)
    keep(one)
    yield
    assert one.document()["TxnDate"] == "2026-03-01"
    well(one)


@story(PLOTS, USA)
def _enable_goes_off_while_a_create_has_no_answer(one: Scene) -> Iterator[float | None]:
    """The call was lost before it arrived, and Enable is off since: nothing is sent, and it goes once it is on."""
    one.say(one.client("c1"))
    one.say(one.project("p1"))
    yield
    one.say(one.invoice("i1"))
    one.trouble(kind="reset_before", count=1)
    call(one, lost=True)
    one.configure(enabled=False)
    yield 900
    assert one.objects("Invoice") == [], one.why()
    one.configure(enabled=True)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, UK)
def _enable_goes_off_while_a_create_that_arrived_has_no_answer(one: Scene) -> Iterator[float | None]:
    """As before, but it arrived."""
    one.say(one.invoice("i1"))
    call(one, kinds=("client",))
    call(one, kinds=("project",))
    call(one, lost=True)
    one.configure(enabled=False)
    yield 900
    one.configure(enabled=True)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


def _brought_back(one: Scene) -> Iterator[float | None]:
    """i1 is voided in Kompass and in QuickBooks. A bookkeeper types 70 into the voided document, and somebody looks again."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    amount(one, "70.00")
    one.press()
    yield
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
    assert one.link().reason.endswith(f"it was voided, and comes to {gross(one, '70.00')} again")
    assert owed(one) == gross(one, "70.00")


@story(PLOTS, *THREE)
def _a_void_that_a_bookkeeper_brought_back_is_voided_again(one: Scene) -> Iterator[float | None]:
    """A person chooses Kompass's side."""
    yield from _brought_back(one)
    send(one)
    yield
    well(one)
    assert owed(one) == 0, one.why()


@story(PLOTS, *THREE)
def _a_void_that_a_bookkeeper_brought_back_is_left(one: Scene) -> Iterator[float | None]:
    """A person keeps what QuickBooks says; a text in Kompass ends no choice, and the next edit by hand does."""
    yield from _brought_back(one)
    keep(one)
    one.say(one.again("i1", details="a text"))
    yield
    assert one.stands() == SYNCED, one.why()
    assert owed(one) == gross(one, "70.00")
    assert says(one)[:2] == (True, "left")
    amount(one, "80.00")
    one.press()
    yield
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
