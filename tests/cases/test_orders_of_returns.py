"""What was decided once comes again: a void that was left, a link that is removed, a button that is pressed twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from schemas.events import Step
from simulator.seeds import CANADA, UK, USA
from tests.cases.orders import (
    call,
    cannot,
    gross,
    keep,
    later,
    link_client,
    link_object,
    owed,
    remove_link,
    send,
    unpay,
    well,
)
from tests.cases.scenes import FAILED, SYNCED, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}


def _left(one: Scene) -> Iterator[float | None]:
    """i1 is paid, void in Kompass, and left as it is."""
    one.say(one.invoice("i1"))
    yield
    one.pay()
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    keep(one)
    yield


@story(PLOTS, UK, CANADA, USA)
def _a_void_that_was_left_becomes_a_credit_note(one: Scene) -> Iterator[float | None]:
    """A person decides about the former type, sees the payment, and has it taken out once that is undone."""
    yield from _left(one)
    one.say(one.credit("i1", "-100.00"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed"), one.why()
    send(one)
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    assert owed(one) == gross(one, "100.00")
    unpay(one)
    one.press()
    yield
    if one.stands() == (FAILED, "conflict:type-changed"):
        send(one)
        yield
    well(one)
    assert owed(one) == -gross(one, "100.00")


@story(PLOTS, CANADA)
def _a_void_that_was_left_is_excluded_and_included(one: Scene) -> Iterator[float | None]:
    """Synchronize off and on: it stays left, and nobody is asked again."""
    yield from _left(one)
    one.say(one.again("i1", synchronize=False))
    yield
    assert one.link().state == "withdrawn"
    one.say(one.again("i1", synchronize=True))
    yield
    well(one)
    assert len(one.failures(ever=True)) == 1
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, USA)
def _buttons_are_pressed_twice(one: Scene) -> Iterator[float | None]:
    """Keep, Keep, Try again: nothing is written. Then Send, Send: it is written once, and stays."""
    one.say(one.invoice("i1"))
    yield
    one.pay()
    one.say(one.again("i1", date=dt.date(2026, 3, 10)))
    yield
    keep(one)
    keep(one)
    one.press()
    yield
    assert one.document()["TxnDate"] == "2026-03-01"
    well(one)
    send(one)
    send(one)
    yield
    well(one)
    assert one.document()["TxnDate"] == "2026-03-10"


@story(PLOTS, UK, CANADA)
def _a_date_and_its_rate_are_kept(one: Scene) -> Iterator[float | None]:
    """A paid document in euros is to have another date, and so another rate: both are kept, through a text, and asked again."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-04-01", rate="0.82")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    one.bookkeeper("create", entity="Payment", members=_payment(one))
    one.say(one.again("i1", date=dt.date(2026, 4, 10)))
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    keep(one)
    one.say(one.again("i1", details="text"))
    yield
    well(one)
    assert (one.document()["TxnDate"], str(one.document()["ExchangeRate"])) == ("2026-03-01", "0.8")
    unpay(one)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    if one.stands()[0] == FAILED:
        send(one)
        yield
    well(one)


def _payment(one: Scene) -> dict[str, Any]:
    there = one.document()
    line = {"Amount": there["TotalAmt"], "LinkedTxn": [{"TxnId": there["Id"], "TxnType": "Invoice"}]}
    customer = {"value": there["CustomerRef"]["value"]}
    return {"CustomerRef": customer, "CurrencyRef": {"value": "EUR"}, "TotalAmt": there["TotalAmt"], "Line": [line]}


@story(PLOTS, UK)
def _a_link_is_removed_while_an_update_has_no_answer(one: Scene) -> Iterator[float | None]:
    """The wrong document was linked and a change is on its way to it: that never goes out again, and ours is made."""
    one.say(one.invoice("i1"))
    yield
    typed = dict(one.document())
    lines = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in typed["Line"]
        if each["DetailType"] == "SalesItemLineDetail"
    ]
    members = {name: typed[name] for name in ("CustomerRef", "TxnDate", "CurrencyRef", "GlobalTaxCalculation")}
    (wrong,) = one.bookkeeper("create", entity="Invoice", members={**members, "Line": lines, "DocNumber": "T-1"})
    one.configure(enabled=False)
    one.say(one.invoice("i2", "300.00"))
    yield
    link_object(one, "i2", wrong, "Invoice")
    one.configure(enabled=True)
    yield
    one.say(one.again("i2", **one.sums("400.00")))
    one.trouble(kind="reset_before", count=1)
    call(one, lost=True)
    one.no_more_trouble()
    remove_link(one, "i2")
    yield
    well(one)
    assert owed(one) == gross(one, "600.00")


@story(PLOTS, CANADA)
def _recreate_loses_its_answer_and_is_pressed_again(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
    one.say(one.again("i1", details="text"))
    yield
    send(one)
    call(one, lost=True)
    send(one)
    later(one, 11)
    yield 900
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, USA)
def _a_project_that_was_linked_by_hand_and_billed_keeps_its_link(one: Scene) -> Iterator[float | None]:
    """As a client's: the next documents would go to another sub-customer than those before."""
    one.say(one.client("c1", name="Alder"))
    yield
    (there,) = one.bookkeeper("project", name="Tower", customer=one.link("c1", "client").qbo_id)
    one.configure(enabled=False)
    one.say(one.project("p1"))
    yield
    link_object(one, "p1", there, "Customer", "project")
    one.configure(enabled=True)
    one.say(one.invoice("i1"))
    yield
    assert one.document()["CustomerRef"]["value"] == there["Id"]
    assert "24-p1" in cannot(lambda: remove_link(one, "p1", "project"))
    well(one)


@story(PLOTS, UK)
def _a_client_is_linked_by_hand_while_its_create_has_no_answer(one: Scene) -> Iterator[float | None]:
    """The create arrived; the person links the client to what it made."""
    one.say(one.client("c1", name="Alder"))
    call(one, kinds=("client",), lost=True)
    (made,) = one.objects("Customer")
    link_client(one, "c1", made)
    one.say(one.invoice("i1"))
    yield 900
    well(one)
    assert [each["DisplayName"] for each in one.objects("Customer")].count("Alder") == 1


@story(PLOTS, CANADA)
def _void_of_a_deleted_document_is_taken_back(one: Scene) -> Iterator[float | None]:
    """Deleted in QuickBooks, void in Kompass, approved again: a person has it made."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    one.say(one.again("i1", step=Step.APPROVED))
    yield
    assert one.stands()[0] == FAILED, one.why()
    send(one)
    yield
    well(one)
    assert (one.stands(), owed(one)) == (SYNCED, gross(one, "100.00")), one.why()
