"""Which refusals are final, which pass, and which say nothing: played with the patience of a process, on time that passes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from schemas.events import Step
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA
from tests.cases.scenes import FAILED, SYNCED, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
MINUTES, HOURS = 60.0, 3600.0


def _each_is_there_once(one: Scene, *ids: str) -> None:
    assert {each: len(one.marked(each)) for each in ids} == dict.fromkeys(ids, 1)
    for each in ids:
        assert one.stands(each) == SYNCED, one.why(each)
    assert one.failures() == []


@story(PLOTS, UK)
def _refused_for_ever_beside_a_neighbour_that_goes(one: Scene) -> Iterator[float | None]:
    one.trouble(kind="try_again", operation="create", holds="INV-i1")
    one.trouble(kind="try_again", operation="create", holds="INV-i2", count=2)
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield 2 * MINUTES
    assert one.stands("i2") == SYNCED
    assert one.stands("i1") == ("retrying", "refused-for-now")
    assert one.failures(ever=True) == []
    # Others of the company go all the while, and this one does not.
    for number in range(3, 9):
        one.say(one.invoice(f"i{number}"))
        yield 30 * MINUTES
    assert one.link("i1").state == FAILED
    assert len(one.failures()) == 1
    assert any("INV-i1" in mail for mail in one.mails())
    one.no_more_trouble()
    yield 25 * HOURS
    _each_is_there_once(one, "i1", "i2", *(f"i{number}" for number in range(3, 9)))


@story(PLOTS, UK, CANADA, USA)
def _a_create_is_answered_5010(one: Scene) -> Iterator[float | None]:
    """A stale object, of something that is new: the books are open, so it is nonsense."""
    one.trouble(kind="fault", code="5010", detail="Stale Object Error", operation="create", entity="Customer", count=1)
    one.trouble(kind="fault", code="5010", detail="Stale Object Error", operation="create", entity="Invoice", count=2)
    one.say(one.invoice("i1"))
    yield 10 * MINUTES
    _each_is_there_once(one, "i1")
    assert one.failures(ever=True) == []
    names = [row["DisplayName"] for row in one.objects("Customer")]
    assert len(names) == len(set(names))


@story(PLOTS, USA)
def _a_create_is_answered_5010_and_the_books_are_closed(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield 5 * MINUTES
    for each in ("i1", "i2"):
        assert one.stands(each) == (FAILED, "books-closed"), one.why(each)
    creates = [call for call in one.calls() if call.operation == "create" and call.entity == "Invoice"]
    assert len(creates) <= 5, "two for each: by the second the closing date is known"
    one.bookkeeper("close_books", date="2025-12-31")
    one.press("i1")
    yield
    _each_is_there_once(one, "i0", "i1", "i2")


@story(PLOTS, UK, SELF_NUMBERED)
def _saved_although_it_was_refused_with_alike_neighbours(one: Scene) -> Iterator[float | None]:
    """Three documents of one customer, date and total; nothing but the mark tells them apart."""
    one.switch("warn_duplicates", on=False)
    one.say(one.invoice("i0"))
    yield
    one.trouble(kind="saved_anyway", operation="create", entity="Invoice", count=2)
    one.say(one.invoice("i1"), one.invoice("i2"), one.invoice("i3"))
    yield 5 * MINUTES
    _each_is_there_once(one, "i0", "i1", "i2", "i3")
    assert one.failures(ever=True) == []


@story(PLOTS, UK)
def _saved_although_refused_while_a_bad_address_breaks_queries(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    members = {"BillEmail": {"Address": "not an address"}}
    one.bookkeeper("type", entity="Invoice", id=one.link("i0").qbo_id, members=members)
    one.trouble(kind="saved_anyway", operation="create", entity="Invoice", count=1)
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield 10 * MINUTES
    _each_is_there_once(one, "i0", "i1", "i2")
    assert one.failures(ever=True) == []


@story(PLOTS, USA)
def _a_void_is_refused_twice_and_a_void_loses_its_answer(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield
    one.trouble(kind="try_again", operation="void", holds=f'"{one.link("i1").qbo_id}"', count=2)
    one.trouble(kind="reset_after", operation="void", count=1, skip=1)
    one.say(one.again("i1", step=Step.VOIDED), one.again("i2", step=Step.VOIDED))
    yield 10 * MINUTES
    for each in ("i1", "i2"):
        there = one.document(each)
        assert (there["TotalAmt"], there["PrivateNote"].count("Voided")) == (0, 1)
        assert one.link(each).state == "synced", one.why(each)
    assert one.failures(ever=True) == []


@story(PLOTS, UK)
def _three_clients_meet_three_answers_that_say_nothing(one: Scene) -> Iterator[float | None]:
    one.trouble(kind="http", status=200, body="<html>busy</html>", operation="create", holds='"Ash"', count=2)
    one.trouble(kind="server_error", code="3100", operation="create", holds='"Birch"', count=2)
    one.trouble(kind="http", status=404, body="<html>none</html>", operation="create", holds='"Cedar"', count=2)
    for id, name in (("c1", "Ash"), ("c2", "Birch"), ("c3", "Cedar")):  # noqa: A001
        one.say(one.client(id, name=name))
    yield 15 * MINUTES
    assert sorted(row["DisplayName"] for row in one.objects("Customer")) == ["Ash", "Birch", "Cedar"]
    assert {one.stands(each, "client") for each in ("c1", "c2", "c3")} == {SYNCED}
    assert one.failures(ever=True) == []
    states = {row.state for row in one.world.pipeline.rows("qbo_connection") if row.realm_id == one.realm}
    assert states == {"connected"}


@story(PLOTS, SELF_NUMBERED)
def _a_name_is_taken_by_our_own_lost_create(one: Scene) -> Iterator[float | None]:
    one.trouble(kind="saved_anyway", operation="create", entity="Customer", count=1)
    one.say(one.client("c1", name="Ash"))
    yield 5 * MINUTES
    assert [row["DisplayName"] for row in one.objects("Customer")] == ["Ash"]
    assert one.stands("c1", "client") == SYNCED
    assert one.failures(ever=True) == []


@story(PLOTS, UK)
def _a_final_refusal_among_passing_ones(one: Scene) -> Iterator[float | None]:
    vendor = one.objects("Vendor")[0]["DisplayName"]
    one.trouble(kind="try_again", operation="create", holds="Birch", count=1)
    one.say(one.client("c1", name=vendor), one.client("c2", name="Birch"), one.client("c3", name="Cedar"))
    yield 5 * MINUTES
    assert one.stands("c1", "client") == (FAILED, "name-taken")
    assert (one.stands("c2", "client"), one.stands("c3", "client")) == (SYNCED, SYNCED)
    assert [failure.kompass_id for failure in one.failures(ever=True)] == ["c1"]


@story(PLOTS, USA)
def _an_update_is_refused_while_the_client_pays(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"))
    yield
    one.trouble(kind="not_found_page", operation="update", count=1)
    one.say(one.again("i1", **one.sums("40.00")))
    pipeline = one.world.pipeline
    pipeline.settle(*pipeline.answers(pipeline.claim([one.link("i1").id]).attempts))
    assert one.link("i1").state == "retrying"
    one.pay("i1", amount="90.00")
    before = one.document("i1")
    yield 10 * MINUTES
    assert one.stands("i1") == (FAILED, "conflict:paid")
    assert one.document("i1") == before


@story(PLOTS, UK)
def _an_update_is_answered_5010_though_nobody_wrote(one: Scene) -> Iterator[float | None]:
    """The token that is read is the one that was sent, and the books are open."""
    one.say(one.invoice("i1"))
    yield
    one.trouble(kind="period_closed", operation="update", count=1)
    one.say(one.again("i1", **one.sums("40.00")))
    yield 5 * MINUTES
    assert one.stands("i1") == SYNCED, one.why("i1")
    assert [row["Amount"] for row in one.document("i1")["Line"] if row.get("Id")] == [Decimal(40)]
    assert one.failures(ever=True) == []


@story(PLOTS, USA)
def _nobody_else_goes_for_two_days(one: Scene) -> Iterator[float | None]:
    """Every create of the company is answered 500 "Unsupported" for two days: an outage, and no record of it is a failure."""
    one.trouble(kind="unsupported", operation="create")
    one.say(*(one.client(f"c{number}", name=f"Client {number}") for number in range(4)))
    yield 1 * HOURS
    assert one.failures(ever=True) == []
    one.no_more_trouble()
    yield 1 * HOURS
    assert len(one.objects("Customer")) == 4
    assert one.failures(ever=True) == []
