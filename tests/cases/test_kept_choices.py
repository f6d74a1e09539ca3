"""What a person chose to keep, and what comes after it: a write of ours, a text, another edit, a closed period."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.seeds import CANADA, UK, USA
from tests.cases.orders import amount, gross, keep, owed, says, send, sheet, well
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
