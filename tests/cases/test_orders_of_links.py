"""Rates, links that a person makes, and companies, in every order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from schemas.events import OrgRef, Step
from simulator.seeds import CANADA, UK, USA
from tests import pipeline as pipelines
from tests.cases.orders import call, cannot, gross, keep, link_object, owed, remove_link, send, unpay, well
from tests.cases.scenes import FAILED, SYNCED, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
APRIL = dt.date(2026, 4, 10)


@story(PLOTS, UK, CANADA)
def _a_type_and_a_currency_change_together(one: Scene) -> Iterator[float | None]:
    """The former document makes way, and the new one has the other currency and its own customer."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00", currency="EUR"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed"), one.why()
    send(one)
    yield
    well(one)
    assert one.document()["CurrencyRef"]["value"] == "EUR"


def _rates_of_yesterday(one: Scene) -> None:
    one.execute(
        "UPDATE qbo_exchange_rate SET fetched_at = fetched_at - interval '25 hours' WHERE realm_id = :realm",
        realm=one.realm,
    )


@story(PLOTS, UK, CANADA)
def _a_rate_is_corrected_between_two_documents_of_a_day(one: Scene) -> Iterator[float | None]:
    """The first keeps its rate through an edit; a later one has the corrected one; dated elsewhere and back."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-04-01", rate="0.82")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.8"
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.90")
    _rates_of_yesterday(one)
    one.say(one.again("i1", **one.sums("150.00")), one.invoice("i2", currency="EUR"))
    yield
    assert [str(one.document(each)["ExchangeRate"]) for each in ("i1", "i2")] == ["0.8", "0.9"]
    one.say(one.again("i1", date=APRIL))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.82"
    one.say(one.again("i1", date=dt.date(2026, 3, 1)))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.9"
    well(one)


@story(PLOTS, UK)
def _a_rate_of_yesterday_serves_when_the_budget_is_spent(one: Scene) -> Iterator[float | None]:
    """No read is left this month: a document of a known day goes with the rate that is known."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    _rates_of_yesterday(one)
    one.say(one.invoice("i2", currency="EUR"))
    pipeline = one.world.pipeline
    claims = pipeline.steps.claims
    before = claims.policy
    claims.policy = replace(before, budget=replace(before.budget, calls=0))
    try:
        for _ in range(3):
            one.execute("UPDATE qbo_link SET due_at = now() WHERE due_at > now() AND org_id = :org")
            call(one)
    finally:
        claims.policy = before
    assert one.stands("i2") == SYNCED, one.why("i2")
    assert str(one.document("i2")["ExchangeRate"]) == "0.8"
    yield


@story(PLOTS, UK, CANADA)
def _a_known_rate_is_answered_as_one_by_now(one: Scene) -> Iterator[float | None]:
    """QuickBooks knew the rate of the day, and says 1 a day later."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="1")
    _rates_of_yesterday(one)
    one.say(one.invoice("i2", currency="EUR"))
    yield
    assert str(one.document("i2")["ExchangeRate"]) == "0.8", one.why("i2")


@story(PLOTS, USA)
def _custom_numbers_go_off_and_the_number_is_kept(one: Scene) -> Iterator[float | None]:
    """Off between claim and call; kept; on again; Kompass changes the number then, and that goes."""
    one.say(one.invoice("i0"))
    yield
    one.say(one.invoice("i1"))
    call(one, before=lambda: one.switch("custom_numbers", False))
    yield
    if one.stands() != SYNCED:
        keep(one)
        yield
    one.switch("custom_numbers", True)
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.again("i1", reference="NEW-1"))
    yield
    well(one)
    assert one.document()["DocNumber"] == "NEW-1"


@story(PLOTS, UK)
def _a_document_that_is_paid_is_linked_by_hand_and_kompass_says_otherwise(one: Scene) -> Iterator[float | None]:
    """The typed one has 100, Kompass 120 later: paid, so a person is asked; kept, and void later: asked again."""
    one.say(one.invoice("i1"))
    yield
    typed = dict(one.document())
    one.configure(enabled=False)
    one.say(one.invoice("i2"))
    yield
    members = {
        name: typed[name]
        for name in ("CustomerRef", "TxnDate", "Line", "CurrencyRef", "GlobalTaxCalculation")
        if name in typed
    }
    members["Line"] = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in typed["Line"]
        if each["DetailType"] == "SalesItemLineDetail"
    ]
    (there,) = one.bookkeeper("create", entity="Invoice", members={**members, "DocNumber": "T-1"})
    one.bookkeeper("pay", id=there["Id"])
    link_object(one, "i2", there, "Invoice")
    one.configure(enabled=True)
    yield
    assert one.stands("i2") == SYNCED, one.why("i2")
    one.say(one.again("i2", **one.sums("120.00")))
    yield
    assert one.stands("i2") == (FAILED, "conflict:paid"), one.why("i2")
    keep(one, "i2")
    one.say(one.again("i2", step=Step.VOIDED))
    yield
    assert one.stands("i2") == (FAILED, "conflict:paid"), one.why("i2")
    unpay(one)
    one.press("i2")
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, UK)
def _the_wrong_document_is_linked_first(one: Scene) -> Iterator[float | None]:
    """Linked to a wrong one, unlinked: the invoice is made, and the wrong one is as it was."""
    one.say(one.invoice("i1"))
    yield
    (wrong,) = one.bookkeeper(
        "create", entity="Invoice",
        members={
            "DocNumber": "T-1", "TxnDate": "2026-03-01", "GlobalTaxCalculation": "TaxExcluded",
            "CustomerRef": {"value": one.document()["CustomerRef"]["value"]}, "CurrencyRef": {"value": "GBP"},
            "Line": [
                {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
                for each in one.document()["Line"] if each["DetailType"] == "SalesItemLineDetail"
            ],
        },
    )  # fmt: skip
    one.configure(enabled=False)
    one.say(one.invoice("i2", "300.00"))
    yield
    link_object(one, "i2", wrong, "Invoice")
    one.configure(enabled=True)
    yield
    remove_link(one, "i2")
    yield
    well(one)
    assert owed(one) == gross(one, "500.00")
    assert one.document("i2")["DocNumber"] == "INV-i2"


@story(PLOTS, UK)
def _a_document_that_kompass_changed_keeps_its_link(one: Scene) -> Iterator[float | None]:
    """Linked to a wrong one, which Kompass changed to 400: without the link it is booked twice. The way that the words name works."""
    one.say(one.invoice("i1"))
    yield
    lines = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in one.document()["Line"]
        if each["DetailType"] == "SalesItemLineDetail"
    ]
    members = {name: one.document()[name] for name in ("CustomerRef", "TxnDate", "CurrencyRef", "GlobalTaxCalculation")}
    (wrong,) = one.bookkeeper("create", entity="Invoice", members={**members, "Line": lines, "DocNumber": "T-1"})
    one.configure(enabled=False)
    one.say(one.invoice("i2", "300.00"))
    yield
    link_object(one, "i2", wrong, "Invoice")
    one.configure(enabled=True)
    yield
    one.say(one.again("i2", **one.sums("400.00")))
    yield
    send(one, "i2")
    yield
    assert owed(one) == gross(one, "500.00")
    assert "it would be booked twice" in cannot(lambda: remove_link(one, "i2"))
    one.bookkeeper("delete", entity="Invoice", id=one.link("i2").qbo_id)
    one.press("i2")
    yield
    assert one.stands("i2") == (FAILED, "deleted-in-qbo"), one.why("i2")
    send(one, "i2")
    yield
    well(one)
    assert owed(one) == gross(one, "500.00")


def _another_company(one: Scene, like: str, realm: str) -> str:
    one.world.simulator.call(lambda world: world.add_company(realm=realm, name=realm, like=like, changes={}))
    return realm


@story(PLOTS, USA)
def _another_company_is_linked_and_the_first_again(one: Scene) -> Iterator[float | None]:
    """What changed while the other company was linked reaches the first once it is back."""
    one.say(one.invoice("i1"), one.invoice("i2"))
    yield
    first, pipeline = one.realm, one.world.pipeline
    other = _another_company(one, one.like, "9130347000000099901")
    pipelines.LOCALES[other] = "USA"
    item = pipeline.object_id(other, "Item", "Surveying")
    pipeline.link(one.org.id, one.name, realm=other, item=item)
    one.configure(default_item_id=item)
    one.realm = other
    one.say(one.again("i1", **one.sums("150.00")), one.again("i2", step=Step.VOIDED), one.invoice("i3"))
    yield
    assert owed(one) == gross(one, "250.00")
    pipeline.link(one.org.id, one.name, realm=first)
    one.configure(default_item_id=pipeline.object_id(first, "Item", "Surveying"))
    one.realm = first
    yield
    assert owed(one) == gross(one, "250.00")
    assert one.failures() == [], [each.message for each in one.failures()]
    assert sorted(each["TotalAmt"] for each in one.objects("Invoice")) == [0, 100, 150]


@story(PLOTS, CANADA)
def _a_company_goes_from_one_org_to_another(one: Scene) -> Iterator[float | None]:
    """The first Org never got enabled, and both know the client: the second one's invoices do not wait for the first one's link."""
    other = Scene(one.world, one.name + " II", one.like, OrgRef(one.org.id + "-b", "Second"), one.realm)
    one.configure(enabled=False)
    one.say(one.client("c1", name="Alder"))
    yield
    pipeline = one.world.pipeline
    one.execute("DELETE FROM qbo_connection WHERE realm_id = :realm", realm=one.realm)
    one.execute("UPDATE qbo_configuration SET realm_id = NULL WHERE org_id = :org")
    item = pipeline.object_id(one.realm, "Item", "Surveying")
    pipeline.link(other.org.id, "Second", realm=one.realm, item=item)
    pipeline.map_vat_rate("hst-on", "HST ON", org_id=other.org.id, realm=one.realm)
    other.sequences["client", "c1"] = 1
    other.say(other.invoice("i1", of=other.project("p1", other.client("c1", name="Alder"))))
    yield
    assert other.stands() == SYNCED, other.why()
    well(other)
