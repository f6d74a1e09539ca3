"""The books protect what is paid: from the first payment on, nothing that changes them is written without a person.

Each story runs in three companies of three locales that share one database: a UK company, a Canadian and a US one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from schemas.events import InvoiceLine, InvoiceType, OrgRef, Step, VatRate
from simulator.bookkeeper import edit
from simulator.seeds import CANADA, UK, USA
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline

UK_ORG = OrgRef("org-uk", "Meridian Geomatics Ltd")
CA_ORG = OrgRef("org-ca", "Rideau Surveys Inc")
US_ORG = OrgRef("org-us", "Granite Survey LLC")
VAT, HST = VatRate("vat-20", "Standard 20 %", Decimal(20)), VatRate("hst-on", "HST Ontario", Decimal(13))


@dataclass(frozen=True)
class Place:
    org: OrgRef
    realm: str
    currency: str
    vat: VatRate | None
    payer: str
    """The Kompass id of the client that pays."""


PLACES = (
    Place(UK_ORG, UK, "GBP", VAT, "uk1"),
    Place(CA_ORG, CANADA, "CAD", HST, "ca1"),
    Place(US_ORG, USA, "USD", None, "us1"),
)


@pytest.fixture
def three(unlinked: Pipeline) -> Pipeline:
    for one in PLACES:
        unlinked.link(one.org.id, one.org.name, realm=one.realm)
    unlinked.map_vat_rate("vat-20", "20.0% S")
    unlinked.map_vat_rate("hst-on", "HST ON", org_id=CA_ORG.id, realm=CANADA)
    return unlinked


@pytest.fixture(params=PLACES, ids=lambda one: one.org.id)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


class Story:
    """One invoice of one company, as Kompass and a bookkeeper change it in turns."""

    def __init__(self, pipeline: Pipeline, place: Place) -> None:
        self.pipeline, self.place = pipeline, place
        self.sequence = 0
        self.owner = project(
            f"p-{place.payer}", of=client(place.payer, org=place.org, currency=place.currency), org=place.org
        )

    def lines(self, *nets: str, description: str = "Survey work") -> tuple[InvoiceLine, ...]:
        return tuple(
            replace(line(net, vat=self.place.vat, position=number), description=f"{description} {number}")
            for number, net in enumerate(nets, 1)
        )

    def kompass(self, *nets: str, id: str = "i1", description: str = "Survey work", **more: Any) -> Any:
        """Kompass says it again, and everything that is due is worked."""
        self.sequence += 1
        record = invoice(
            f"{id}-{self.place.payer}", sequence=self.sequence, of=self.owner, org=self.place.org,
            lines=self.lines(*(nets or ("100.00",)), description=description), currency=self.place.currency, **more,
        )  # fmt: skip
        self.pipeline.ingest(event(record))
        self.pipeline.drive()
        return self.link(id)

    def link(self, id: str = "i1") -> Any:
        return self.pipeline.one("invoice", f"{id}-{self.place.payer}")

    def bookkeeper(self, action: str, **more: Any) -> None:
        wanted = {"action": action, **more}
        self.pipeline.simulator.call(lambda world: edit(world.companies[self.place.realm], wanted))

    def document(self, id: str = "i1", entity: str = "Invoice") -> dict[str, Any]:
        wanted = self.link(id).qbo_id
        return next(one for one in self.pipeline.objects(entity, self.place.realm) if one["Id"] == wanted)

    def try_again(self, **choices: bool) -> Any:
        chosen = "".join(f", {name} = true" for name in choices)
        with self.pipeline.engine.begin() as db:
            db.execute(text(f"UPDATE qbo_link SET due_at = now(), again = true{chosen} WHERE state = 'failed'"))
        self.pipeline.drive()
        return self.link()


@pytest.fixture
def story(three: Pipeline, place: Place) -> Story:
    return Story(three, place)


def paid(story: Story, amount: str = "40.00") -> dict[str, Any]:
    story.bookkeeper("pay", id=story.link().qbo_id, amount=amount)
    return story.document()


CHANGES_OF_THE_BOOKS: dict[str, Callable[[Story], Any]] = {
    "a higher amount": lambda one: one.kompass("300.00"),
    "a lower amount": lambda one: one.kompass("50.00"),
    "another line": lambda one: one.kompass("100.00", "20.00"),
    "another date": lambda one: one.kompass(date=dt.date(2026, 3, 5)),
    "a void": lambda one: one.kompass(step=Step.VOIDED),
}


@pytest.mark.parametrize("change", CHANGES_OF_THE_BOOKS.values(), ids=CHANGES_OF_THE_BOOKS)
def test_a_paid_invoice_changes_only_by_a_persons_choice_also_after_a_harmless_edit(
    story: Story, change: Callable[[Story], Any]
) -> None:
    """The harmless edit takes the stale token away, which used to be the only guard."""
    story.kompass("100.00")
    paid(story)
    assert story.kompass("100.00", details="Thank you").state == "synced"
    before = story.document()
    link = change(story)
    assert (link.state, link.cause) == ("failed", "conflict:paid")
    assert "Payment" in link.reason
    assert story.document() == before
    # Asked again, nothing has changed in the books.
    assert story.try_again().cause == "conflict:paid"
    assert story.document() == before


def test_texts_of_a_paid_invoice_go_through(story: Story) -> None:
    story.kompass("100.00")
    before = paid(story)
    link = story.kompass("100.00", details="Thank you", description="Laser scan", due_date=dt.date(2026, 4, 15))
    now = story.document()
    assert link.state == "synced"
    assert now["CustomerMemo"]["value"] == "Thank you"
    assert now["Line"][0]["Description"].endswith("Laser scan 1")
    assert (now["Balance"], now["LinkedTxn"]) == (before["Balance"], before["LinkedTxn"])


def test_another_payer_of_a_paid_invoice_is_a_conflict(story: Story) -> None:
    story.kompass("100.00")
    before = paid(story)
    other = client(f"new-{story.place.payer}", org=story.place.org, currency=story.place.currency)
    story.owner = replace(story.owner, sequence=2, client=other, billing_client=other)
    link = story.kompass("100.00")
    assert (link.state, link.cause) == ("failed", "conflict:paid")
    assert "customer changed" in link.reason
    assert story.document()["CustomerRef"] == before["CustomerRef"]


def test_a_person_who_undoes_the_payment_or_chooses_kompass_lets_it_go(story: Story) -> None:
    story.kompass("100.00")
    paid(story)
    assert story.kompass("300.00").cause == "conflict:paid"
    (payment,) = story.pipeline.objects("Payment", story.place.realm)
    story.bookkeeper("delete", entity="Payment", id=payment["Id"])
    assert story.try_again().state == "synced"
    assert story.document()["Line"][0]["Amount"] == Decimal("300.00")
    paid(story)
    assert story.kompass("400.00").cause == "conflict:paid"
    assert story.try_again(overwrite=True).state == "synced"
    assert story.document()["Line"][0]["Amount"] == Decimal("400.00")


def test_a_closed_period_is_not_written_to_and_a_reopened_one_is(story: Story) -> None:
    story.kompass("100.00")
    story.bookkeeper("close_books", date="2026-03-31")
    story.pipeline.jobs.prepare(story.place.org.id, story.place.realm)
    assert story.kompass("100.00", details="Thank you").cause in ("", "books-closed")
    before = story.document()["Line"]
    link = story.kompass("250.00", details="Thank you")
    assert (link.state, link.cause) == ("failed", "books-closed")
    assert story.document()["Line"] == before
    assert story.kompass(step=Step.VOIDED).cause == "books-closed"
    assert story.document()["Line"] == before


def test_the_remedy_for_closed_books_fits_what_was_to_be_done(story: Story) -> None:
    story.kompass("100.00")
    # The facts are from before: QuickBooks itself refuses.
    story.bookkeeper("close_books", date="2026-03-31")

    def remedy() -> str:
        (open_one,) = [row for row in story.pipeline.rows("qbo_failure") if row.closed_at is None]
        assert open_one.cause == "books-closed"
        return str(open_one.remedy)

    story.kompass("250.00")
    assert remedy().startswith("Type the difference into QuickBooks, as a credit note")
    story.kompass("100.00")
    story.kompass("100.00", id="i2")
    assert "date the document after the closing date" in remedy()


def test_a_start_date_moved_forward_does_not_keep_a_void_from_what_was_sent(story: Story) -> None:
    story.kompass("100.00")
    with story.pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET start_date = '2026-06-01'"))
    link = story.kompass("100.00", step=Step.VOIDED)
    assert (link.state, link.voided) == ("synced", True)
    assert story.document()["TotalAmt"] == 0
    # What was never sent stays out.
    assert story.kompass("100.00", id="i2").cause == "before-start-date"


@pytest.mark.parametrize("deed", ["delete", "void"])
def test_a_withdrawn_document_that_is_gone_is_not_synced_when_it_comes_back(story: Story, deed: str) -> None:
    story.kompass("100.00")
    assert story.kompass("100.00", step=Step.REJECTED).state == "withdrawn"
    story.bookkeeper(deed, entity="Invoice", id=story.link().qbo_id)
    link = story.kompass("100.00")
    assert link.state == "failed"
    assert link.cause == ("deleted-in-qbo" if deed == "delete" else "conflict:voided-in-qbo")
    link = story.try_again(overwrite=True)
    assert link.state == "synced"
    assert story.document()["Line"][0]["Amount"] == Decimal("100.00")
    assert story.document()["Balance"] == story.document()["TotalAmt"] > 0


@pytest.mark.parametrize("deed", ["edit", "delete", "void"])
def test_a_known_deed_of_the_bookkeeper_is_not_forgotten_when_kompass_returns_to_what_was_sent(
    story: Story, deed: str
) -> None:
    story.kompass("100.00")
    if deed == "edit":
        lines = [
            {**one, "Amount": 77} for one in story.document()["Line"] if one["DetailType"] == "SalesItemLineDetail"
        ]
        story.bookkeeper("update", entity="Invoice", id=story.link().qbo_id, members={"Line": lines})
    else:
        story.bookkeeper(deed, entity="Invoice", id=story.link().qbo_id)
    assert story.kompass("200.00").state == "failed"
    assert story.kompass("100.00").state == "failed"


def credit(story: Story) -> dict[str, Any]:
    tax = sum((one.amount_vat for one in story.lines("-100.00")), Decimal(0))
    return {
        "type": InvoiceType.CREDIT_NOTE, "amount_net": Decimal(-100), "amount_vat": tax, "amount_gross": tax - 100
    }  # fmt: skip


def test_a_document_whose_type_changed_takes_the_place_of_the_former_one_once_that_is_gone(story: Story) -> None:
    story.kompass("100.00")
    link = story.kompass("-100.00", **credit(story))
    assert (link.state, link.cause) == ("failed", "conflict:type-changed")
    story.bookkeeper("delete", entity="Invoice", id=link.qbo_id)
    link = story.try_again()
    assert (link.state, link.entity) == ("synced", "CreditMemo")
    assert story.document(entity="CreditMemo")["Line"][0]["Amount"] == Decimal("100.00")


def test_a_person_may_have_the_former_document_voided_when_the_type_changed_and_changed_back(story: Story) -> None:
    story.kompass("100.00")
    number = story.document()["DocNumber"]
    assert story.kompass("-100.00", **credit(story)).cause == "conflict:type-changed"
    link = story.try_again(overwrite=True)
    assert (link.state, link.entity) == ("synced", "CreditMemo")
    assert story.document(entity="CreditMemo")["DocNumber"] == number
    (former,) = story.pipeline.objects("Invoice", story.place.realm)
    assert (former["TotalAmt"], former["DocNumber"]) == (0, f"{number} void {former['Id']}")
    # And back again: the credit note is taken to zero, and another invoice is made.
    assert story.kompass("100.00").cause == "conflict:type-changed"
    link = story.try_again(overwrite=True)
    assert (link.state, link.entity) == ("synced", "Invoice"), link.reason
    assert story.document()["DocNumber"] == number
    assert [one["TotalAmt"] for one in story.pipeline.objects("CreditMemo", story.place.realm)] == [0]
    assert [row.cause for row in story.pipeline.rows("qbo_failure") if row.closed_at is None] == []


def test_a_paid_document_whose_type_changed_is_not_voided_even_when_asked(story: Story) -> None:
    story.kompass("100.00")
    before = paid(story)
    story.kompass("-100.00", **credit(story))
    # It was read before the person was asked: the payment was in the question.
    assert story.try_again(overwrite=True).cause == "conflict:paid"
    assert story.document() == before
