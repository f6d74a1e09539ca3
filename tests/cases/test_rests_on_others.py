"""A record was refused for the sake of another one: once that gives way, it goes, in either order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from schemas.events import Kind, Service, Step, VatRate
from simulator.seeds import UK, USA
from store.engine import open_engine
from sync.by_hand import override_name
from tests.cases.scenes import FAILED, SYNCED, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
TAKEN = (FAILED, "number-taken")


def _names(one: Scene) -> list[str]:
    return sorted(row["DisplayName"] for row in one.objects("Customer"))


def _settled(one: Scene) -> bool:
    return all(link.state == "synced" for link in one.world.pipeline.links(org_id=one.org.id))


@story(PLOTS, UK)
def _a_job_and_a_client_swap_names_while_neither_is_there(one: Scene) -> Iterator[float | None]:
    """Both are refused at first: a vendor has the client's name, and the client is the job's."""
    one.configure(project_name_template="{{ project.name }}")
    vendor = one.objects("Vendor")[0]
    one.say(one.client("c1", name=vendor["DisplayName"]))
    one.say(one.project("p1", of=one.client("c2", name="Quarry"), name="Harbour"))
    yield
    assert one.link("c1", "client").state == FAILED
    # They swap: the client takes the job's name, the job takes the vendor's, at once and in one batch.
    one.say(one.again("c1", "client", name="Harbour"), one.again("p1", "project", name="Dredging"))
    yield
    assert _names(one) == ["Dredging", "Harbour", "Quarry"]
    assert (one.failures(), _settled(one)) == ([], True)


@story(PLOTS, UK, USA)
def _a_job_and_a_client_swap_names_in_two_turns(one: Scene) -> Iterator[float | None]:
    one.configure(project_name_template="{{ project.name }}")
    one.say(one.client("c1", name="Harbour"))
    one.say(one.project("p1", of=one.client("c2", name="Quarry"), name="Dredging"))
    yield
    one.say(one.again("c1", "client", name="Dredging"))
    yield
    assert one.link("c1", "client").state == FAILED
    assert "Dredging" in one.link("c1", "client").reason
    one.say(one.again("p1", "project", name="Harbour"))
    yield
    assert _names(one) == ["Dredging", "Harbour", "Quarry"]
    assert one.document("c1", "client")["DisplayName"] == "Dredging"
    assert (one.failures(), _settled(one)) == ([], True)


@story(PLOTS, UK)
def _a_ring_ends_at_a_customer_that_kompass_deleted(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c1", name="Ash"), one.client("c2", name="Birch"), one.client("c3", name="Cedar"))
    yield
    stale = one.link("c3", "client").qbo_id
    one.delete("c3", "client")
    one.say(one.again("c1", "client", name="Birch"), one.again("c2", "client", name="Cedar"))
    yield
    assert one.link("c2", "client").state == FAILED
    assert "Cedar" in one.link("c2", "client").reason
    one.bookkeeper("rename", entity="Customer", id=stale, name="Cedar (old)")
    one.press("c2", "client")
    yield
    assert _names(one) == ["Birch", "Cedar", "Cedar (old)"], one.why("c2", "client")
    assert one.failures() == []
    assert one.stands("c1", "client") == SYNCED


@story(PLOTS, USA)
def _a_paid_invoice_and_a_credit_note_swap_numbers(one: Scene) -> Iterator[float | None]:
    one.switch("warn_duplicates", on=True)
    one.say(one.invoice("i1", reference="A-1"), one.credit("n1", "-30.00", reference="A-2"))
    yield
    one.pay("i1", amount="50.00")
    before = one.document("i1")
    one.say(one.again("i1", reference="A-2"), one.again("n1", reference="A-1"))
    yield
    now = one.document("i1")
    assert (now["DocNumber"], one.document("n1")["DocNumber"]) == ("A-2", "A-1")
    assert (now["TotalAmt"], now["Balance"]) == (before["TotalAmt"], before["Balance"])
    assert (one.stands("i1"), one.stands("n1"), one.failures()) == (SYNCED, SYNCED, [])


@story(PLOTS, UK)
def _a_number_is_held_by_a_withdrawn_document(one: Scene) -> Iterator[float | None]:
    one.switch("warn_duplicates", on=True)
    one.say(one.invoice("i1", reference="A-1"))
    yield
    one.say(one.again("i1", step=Step.REJECTED))
    yield
    one.say(one.invoice("i2", reference="A-1"))
    yield
    assert one.stands("i2") == TAKEN
    assert one.link("i1").qbo_id in one.link("i2").reason
    assert "A-1” of Kompass" in one.link("i2").reason, one.link("i2").reason
    one.bookkeeper("delete", entity="Invoice", id=one.link("i1").qbo_id)
    one.press("i2")
    yield
    assert one.stands("i2") == SYNCED
    assert one.document("i2")["DocNumber"] == "A-1"
    one.say(one.again("i1", step=Step.APPROVED, reference="A-9"))
    yield
    assert one.failures() == [] or one.stands("i1") == (FAILED, "deleted-in-qbo")


@story(PLOTS, USA)
def _a_number_is_held_by_a_voided_document_which_gets_another(one: Scene) -> Iterator[float | None]:
    one.switch("warn_duplicates", on=True)
    one.say(one.invoice("i1", reference="A-1"))
    yield
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    one.say(one.invoice("i2", reference="A-1"))
    yield
    assert one.stands("i2") == TAKEN
    assert one.marked("i2") == []
    one.say(one.again("i2", reference="A-2"))
    yield
    assert one.stands("i2") == SYNCED
    assert one.failures() == []


@story(PLOTS, UK)
def _a_vendor_has_the_name_and_much_waits(one: Scene) -> Iterator[float | None]:
    vendor = one.objects("Vendor")[0]
    owner = one.project("p1", of=one.client("c1", name=vendor["DisplayName"]))
    one.say(one.invoice("i1", of=owner), one.invoice("i2", of=owner))
    yield
    assert one.stands("c1", "client") == (FAILED, "name-taken")
    assert "vendor" in one.link("c1", "client").reason
    assert len(one.failures()) == 1
    assert len(one.mails()) == 1
    one.bookkeeper("rename", entity="Vendor", id=vendor["Id"], name="Somebody else")
    one.press("c1", "client")
    yield
    assert (one.failures(), _settled(one)) == ([], True)
    assert len(one.objects("Invoice")) == 2


@story(PLOTS, UK)
def _the_sentence_names_the_holder_as_it_is_called_now(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c1", name="Ash"))
    yield
    link_id = one.link("c1", "client").id
    one.by_hand(lambda db: override_name(db, link_id, "Fixed Name", by="an admin"))
    one.say(one.again("c1", "client", name="Oak"))
    yield
    one.say(one.client("c2", name="Fixed Name"))
    yield
    assert one.stands("c2", "client") == (FAILED, "name-held-by-another")
    assert "client “Oak” (in QuickBooks “Fixed Name”)" in one.link("c2", "client").reason
    one.by_hand(lambda db: override_name(db, link_id, "", by="an admin"))
    yield
    assert _names(one) == ["Fixed Name", "Oak"]
    assert (one.failures(), _settled(one)) == ([], True)


@story(PLOTS, UK)
def _of_two_problems_one_is_fixed(one: Scene) -> Iterator[float | None]:
    one.configure(default_item_id="")
    strange = VatRate("vat-7", "VAT 7 %", Decimal(20))
    lines = one.lines("100.00", service=Service("svc-x", "Dredging", None))
    both = tuple(replace(row, vat_rate=strange) for row in lines)
    one.say(one.invoice("i1", lines=lines), one.invoice("i2", lines=both))
    yield
    assert one.link("i1").cause.startswith("no-item")
    assert one.link("i2").state == FAILED
    one.configure(default_item_id=one.world.pipeline.object_id(one.realm, "Item", "Surveying"))
    yield
    assert one.stands("i1") == SYNCED
    assert one.link("i2").cause.startswith("no-tax-code"), one.link("i2").cause
    assert "VAT 7 %" in one.link("i2").reason
    one.world.pipeline.map_vat_rate("vat-7", "20.0% S", org_id=one.org.id, realm=one.realm)
    yield
    assert one.stands("i2") == SYNCED
    assert one.failures() == []


@story(PLOTS, USA)
def _a_wrong_currency_of_a_client_is_corrected(one: Scene) -> Iterator[float | None]:
    wrong = one.client("c1", currency="EUR")
    one.say(wrong)
    yield
    assert one.link("c1", "client").state == FAILED
    one.mails()
    one.say(replace(wrong, sequence=2, currency="USD"))
    yield
    assert _settled(one), one.why("c1", "client")
    assert len(one.world.pipeline.links(org_id=one.org.id)) == 1
    assert (one.failures(), len(one.objects("Customer"))) == ([], 1)
    assert "Nothing is left to do" in one.mails()[-1]


@story(PLOTS, USA)
def _a_wrong_currency_of_an_invoice_is_corrected(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1", currency="EUR"), one.invoice("i2", currency="EUR"))
    yield
    assert one.link("i1").state == "waiting"
    one.say(one.again("i1", currency="USD"))
    yield
    assert one.stands("i1") == SYNCED, one.why("i1")
    # The other invoice still needs the customer that cannot be.
    assert [failure.cause for failure in one.failures()] == ["no-multicurrency:EUR"]
    one.say(one.again("i2", currency="USD"))
    yield
    assert one.stands("i2") == SYNCED
    assert (one.failures(), _settled(one)) == ([], True), one.why("c1", "client")
    assert len(one.objects("Customer")) == len({row["DisplayName"] for row in one.objects("Customer")})


@story(PLOTS, USA)
def _an_invoice_in_a_wrong_currency_is_withdrawn(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1", currency="EUR"))
    yield
    assert len(one.failures()) == 1
    one.say(one.again("i1", step=Step.REJECTED))
    yield
    assert one.link("i1").state == "skipped"
    assert one.failures() == [], one.why("c1", "client")


@story(PLOTS, UK)
def _a_client_is_called_as_the_second_customer_of_another(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c2", name="Acme (EUR)"), one.client("c1", name="Acme"))
    yield
    one.say(one.invoice("i1", currency="EUR"))
    yield
    second = one.link("c1", "client", currency="EUR")
    if second.state == FAILED:
        assert "Acme (EUR)" in second.reason
        one.say(one.again("c2", "client", name="Acme Europe"))
        yield
    assert one.stands("i1") == SYNCED, one.why("i1")
    assert len(set(_names(one))) == len(_names(one))
    assert (one.failures(), _settled(one)) == ([], True)


@story(PLOTS, USA)
def _two_new_clients_of_one_name_in_one_batch(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c1", name="Twin"), one.client("c2", name="TWIN"))
    yield
    states = {which: one.stands(which, "client") for which in ("c1", "c2")}
    assert sorted(state for state, _ in states.values()) == [FAILED, "synced"]
    there = next(which for which, (state, _) in states.items() if state == "synced")
    refused = "c2" if there == "c1" else "c1"
    assert "Twin" in one.link(refused, "client").reason
    one.say(one.again(there, "client", name="Single"))
    yield
    assert (one.failures(), _settled(one)) == ([], True)
    assert len(one.objects("Customer")) == 2


@story(PLOTS, UK)
def _the_billing_client_of_a_refused_project_changes(one: Scene) -> Iterator[float | None]:
    """The job under the former client was never made: nothing of it is left, not even its failure."""
    one.configure(project_name_template="{{ project.name }}")
    one.say(one.client("c1", name="Ash"), one.client("c2", name="Birch"))
    one.say(one.project("p1", name="Ash"))
    yield
    assert one.link("p1", "project").state == FAILED
    one.say(one.again("p1", "project", name="Survey", billing_client=one.said["client", "c2"]))
    yield
    jobs = [link for link in one.world.pipeline.links(org_id=one.org.id) if link.kind == Kind.PROJECT.value]
    assert [(link.party_id, link.state) for link in jobs] == [("c2", "synced")], one.why("p1", "project")
    assert one.failures() == []


@story(PLOTS, UK)
def _a_holder_is_deleted_in_kompass_before_it_was_ever_sent(one: Scene) -> Iterator[float | None]:
    """The second client waits for nothing: the first, which has the name in Kompass alone, is gone."""
    one.configure(enabled=False)
    one.say(one.client("c1", name="Twin"), one.client("c2", name="Twin"))
    yield
    one.delete("c1", "client")
    one.configure(enabled=True)
    yield
    assert one.stands("c2", "client") == SYNCED
    assert (one.failures(), _names(one)) == ([], ["Twin"])


def test_no_temporary_name_is_left(ends: dict[str, BaseException | None], module_database: str) -> None:
    engine = open_engine(module_database, pool_size=1)
    with engine.begin() as db:
        rows: Any = db.execute(text("SELECT name FROM qbo_link WHERE name ~ ' \\((c|p|i|n)[0-9]\\)$'")).scalars()
        assert list(rows) == []
    engine.dispose()
