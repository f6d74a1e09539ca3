"""Each remedy in the table of causes is carried out as its person would: the record fails for the cause, and goes after it.

A new cause needs a row here, or the name of the test that tries its remedy. A cause that nothing can bring about is none.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from mapping.causes.intuit import REFUSALS
from mapping.causes.ours import CONFLICTS, MAPPING
from schemas.events import InvoiceType, OrgRef, Record, Step
from simulator import Simulator, bookkeeper
from simulator.seeds import UK
from simulator.settings import Settings
from sync.keeping import keep_quickbooks
from tests import pipeline as pipelines
from tests.builders import client, event, invoice, line, project
from tests.database import cloned_database
from tests.pipeline import Pipeline, open_pipeline

CASES = "tests/cases/test_whole_stack.py"
BOOKS = "tests/integration/pipeline/test_books_protected.py"
LINK_UP = "tests/integration/admin/test_first_link_up.py"
SITUATIONS = "tests/integration/situations/test_remedies_of_causes.py"
ELSEWHERE = {
    "no-multicurrency": f"{CASES}::_multicurrency_is_switched_on",
    "conflict:paid": f"{BOOKS}::test_a_person_who_undoes_the_payment_or_chooses_kompass_lets_it_go",
    "conflict:type-changed": f"{BOOKS}::test_a_person_may_have_the_former_document_voided",
    "number-taken": f"{CASES}::_linked_to_the_typed_one",
    "not-taken:class": f"{CASES}::_class_tracking_is_switched_off_and_on",
    "not-taken:number": "tests/integration/consumers/test_members_not_taken.py::test_a_number_that_quickbooks_gave_is_told",
    "invalid-reference": f"{CASES}::_the_default_item_is_a_category",
    "conflict:in-doubt": "tests/integration/admin/test_in_doubt.py",
    "customer-exists": f"{LINK_UP}::test_a_company_with_a_history_is_linked_and_nothing_is_there_twice",
    "document-exists": f"{LINK_UP}::test_a_company_with_a_history_is_linked_and_nothing_is_there_twice",
    "broken-document": f"{SITUATIONS}::test_broken_document",
    "tax-code-inactive": f"{SITUATIONS}::test_tax_code_inactive",
    "tax-not-booked": f"{SITUATIONS}::test_tax_not_booked",
    "conflict:keeps-changing": f"{SITUATIONS}::test_conflict_keeps_changing",
    "conflict:currency": f"{SITUATIONS}::test_conflict_currency",
    "conflict:credit-applied": f"{SITUATIONS}::test_conflict_credit_applied",
    "keeps-failing": f"{SITUATIONS}::test_keeps_failing",
    "party-not-synced": f"{SITUATIONS}::test_party_not_synced",
}


class Situation:
    """A company of its own, in which one thing goes wrong."""

    numbers = itertools.count(1)

    def __init__(self, pipeline: Pipeline) -> None:
        number = next(self.numbers)
        self.pipeline, self.realm = pipeline, f"93{number:014d}"
        self.org = OrgRef(f"org-{number}", f"Company {number}")
        pipelines.LOCALES[self.realm] = "EU"
        pipeline.simulator.call(lambda world: world.add_company(realm=self.realm, name="One", like=UK, changes={}))
        pipeline.link(self.org.id, self.org.name, realm=self.realm)
        pipeline.map_vat_rate("vat-20", "20.0% S", org_id=self.org.id, realm=self.realm)
        self.sequence = 0

    def invoice(self, id: str = "i1", **more: Any) -> Any:
        return invoice(id, of=project(of=client(org=self.org), org=self.org), org=self.org, **more)

    def say(self, record: Record) -> None:
        self.sequence += 1
        self.pipeline.ingest(event(replace(record, sequence=self.sequence)))
        self.pipeline.drive()

    def link(self, kind: str = "invoice", id: str = "i1") -> Any:
        return self.pipeline.one(kind, id, org_id=self.org.id)

    def failed(self, cause: str, kind: str = "invoice", id: str = "i1") -> None:
        link = self.link(kind, id)
        assert (link.state, link.cause.partition(":")[0] if ":" not in cause else link.cause) == ("failed", cause), (
            link.reason
        )

    def goes(self, kind: str = "invoice", id: str = "i1") -> None:
        self.pipeline.drive()
        link = self.link(kind, id)
        assert link.state == "synced", (link.cause, link.reason)

    def execute(self, statement: str, **values: Any) -> None:
        with self.pipeline.engine.begin() as db:
            db.execute(text(statement), {"org": self.org.id, **values} if ":org" in statement else values)

    def configure(self, **columns: Any) -> None:
        wanted = ", ".join(f"{name} = :{name}" for name in columns)
        self.execute(f"UPDATE qbo_configuration SET {wanted} WHERE org_id = :org", **columns)

    def bookkeeper(self, **wanted: Any) -> Any:
        return self.pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[self.realm], wanted))

    def object_id(self, entity: str, name: str) -> str:
        return self.pipeline.object_id(self.realm, entity, name)

    def try_again(self, *, overwrite: bool = False) -> None:
        self.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=self.realm)
        self.execute(
            "UPDATE qbo_link SET due_at = now(), again = true, overwrite = overwrite OR :overwrite"
            " WHERE org_id = :org AND state = 'failed'",
            overwrite=overwrite,
        )

    def choose_quickbooks(self, kind: str, id: str) -> None:
        with self.pipeline.engine.begin() as db:
            keep_quickbooks(db, self.link(kind, id).id, by="ada")

    def corrected_in_kompass(self, cause: str, bad: Record, good: Record | None = None) -> None:
        """It fails, and its next event from Kompass goes."""
        kind = type(bad).__name__.lower()
        self.say(bad)
        self.failed(cause, kind, bad.id)
        self.say(good or (client(org=self.org) if kind == "client" else self.invoice()))
        self.goes(kind, bad.id)


TRIED: dict[str, Callable[[Situation], None]] = {}


def tries(cause: str) -> Callable[[Callable[[Situation], None]], Callable[[Situation], None]]:
    def keep(story: Callable[[Situation], None]) -> Callable[[Situation], None]:
        TRIED[cause] = story
        return story

    return keep


IN_KOMPASS: dict[str, Callable[[Situation], Record]] = {
    "empty": lambda one: one.invoice(reference=" "),
    "too-long": lambda one: one.invoice(reference="R" * 22),
    "control-character": lambda one: one.invoice(details="a\x07"),
    "name-characters": lambda one: client(org=one.org, name="A: B"),
    "amount-too-fine": lambda one: one.invoice(lines=(line("10.125", vat=None),)),
    "amount-too-large": lambda one: one.invoice(lines=(line("99999999999.00"),)),
    "does-not-add-up": lambda one: one.invoice(amount_gross=Decimal("1.00")),
    "negative-total": lambda one: one.invoice(lines=(line("-5.00"),), type=InvoiceType.INVOICE),
    "no-lines": lambda one: replace(
        one.invoice(), lines=(), amount_net=Decimal(0), amount_vat=Decimal(0), amount_gross=Decimal(0)
    ),
    "too-many-lines": lambda one: one.invoice(lines=tuple(line("1.00", position=n) for n in range(1, 10_002))),
}  # fmt: skip
"""What is corrected in Kompass, and goes by its next event."""

FAULTS = {words.cause: words.codes[0] for words in REFUSALS if words.codes} | {
    "fault": "7777",
    "request-refused": "2030",
}


@tries("template-error")
def _template(one: Situation) -> None:
    one.configure(doc_number_template="{{ invoice.nothing.at_all }}")
    one.say(one.invoice())
    one.failed("template-error")
    one.configure(doc_number_template="{{ invoice.reference }}")
    one.goes()


@tries("no-item")
def _no_item(one: Situation) -> None:
    one.configure(default_item_id="")
    one.say(one.invoice())
    one.failed("no-item")
    one.configure(default_item_id=one.object_id("Item", "Design"))
    one.goes()


def _row(one: Situation, code: str) -> None:
    one.execute(
        "UPDATE qbo_tax_code_vat_rate SET tax_code_id = :code WHERE configuration_id ="
        " (SELECT id FROM qbo_configuration WHERE org_id = :org)",
        code=code,
    )


@tries("no-tax-code")
def _no_tax_code(one: Situation) -> None:
    one.execute(
        "DELETE FROM qbo_tax_code_vat_rate WHERE configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = :org)"
    )
    one.say(one.invoice())
    one.failed("no-tax-code")
    one.pipeline.map_vat_rate("vat-20", "20.0% S", org_id=one.org.id, realm=one.realm)
    one.goes()


@tries("tax-code-unknown")
def _unknown_code(one: Situation) -> None:
    _row(one, "99999")
    one.say(one.invoice())
    one.failed("tax-code-unknown")
    _row(one, one.object_id("TaxCode", "20.0% S"))
    one.goes()


@tries("tax-would-differ")
def _other_percent(one: Situation) -> None:
    _row(one, one.object_id("TaxCode", "5.0% R"))
    one.say(one.invoice())
    one.failed("tax-would-differ")
    _row(one, one.object_id("TaxCode", "20.0% S"))
    one.goes()


def _field(one: Situation, definition: str) -> None:
    """Save a row of Custom Fields."""
    one.execute(
        "INSERT INTO qbo_custom_field (configuration_id, realm_id, definition_id, name, template)"
        " SELECT id, realm_id, :definition, 'Field ' || :definition, '{{ invoice.reference }}' FROM qbo_configuration WHERE org_id = :org",
        definition=definition,
    )


@tries("too-many-custom-fields")
def _too_many_fields(one: Situation) -> None:
    for definition in "1234":
        _field(one, definition)
    one.say(one.invoice())
    one.failed("too-many-custom-fields")
    one.execute(
        "DELETE FROM qbo_custom_field WHERE definition_id = '4'"
        " AND configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = :org)"
    )
    one.goes()


@tries("not-taken")
def _moved_sub_customer(one: Situation) -> None:
    """A bookkeeper moved it to another customer, and moves it back; another one is kept where it is."""
    before = one.invoice().project
    for chosen in (False, True):
        there = one.bookkeeper(action="create", entity="Customer", members={"DisplayName": f"Other {chosen}"})[0]
        one.say(before)
        job = one.link("project", "p1")
        home = next(row for row in one.pipeline.objects("Customer", one.realm) if row["Id"] == job.qbo_id)["ParentRef"]
        moved = {"action": "update", "entity": "Customer", "id": job.qbo_id}
        one.bookkeeper(**moved, members={"ParentRef": {"value": there["Id"]}})
        one.say(replace(before, details=f"Moved {chosen}"))
        one.failed("not-taken:parent", "project", "p1")
        if chosen:
            one.choose_quickbooks("project", "p1")
        else:
            one.bookkeeper(**moved, members={"ParentRef": {"value": home["value"]}})
            one.try_again()
        one.goes("project", "p1")


@tries("not-taken:tax-code")
def _codes_dropped(one: Situation) -> None:
    """Sales tax is off for the minute in which it is sent: the lines are booked without their codes. One is sent again, one kept."""
    for chosen in (False, True):
        which = f"dropped-{chosen}"
        one.say(one.invoice())
        one.bookkeeper(action="setting", setting="sales_tax", on=False)
        one.pipeline.ingest(event(one.invoice(which, reference=which)))
        one.pipeline.sweep()
        one.pipeline.settle(*one.pipeline.answers(one.pipeline.claim().attempts))
        one.bookkeeper(action="setting", setting="sales_tax", on=True)
        one.pipeline.drive()
        one.failed("not-taken:tax-code", id=which)
        if chosen:
            one.choose_quickbooks("invoice", which)
        else:
            one.try_again(overwrite=True)
        one.goes(id=which)
        there = next(
            row for row in one.pipeline.objects("Invoice", one.realm) if row["Id"] == one.link(id=which).qbo_id
        )
        assert ("TaxCodeRef" in there["Line"][0]["SalesItemLineDetail"]) is not chosen


@tries("custom-field-unknown")
def _unknown_field(one: Situation) -> None:
    _field(one, "9")
    one.say(one.invoice())
    one.failed("custom-field-unknown")
    one.execute(
        "DELETE FROM qbo_custom_field WHERE configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = :org)"
    )
    one.goes()


@tries("conflict:edited-in-qbo")
def _edited(one: Situation) -> None:
    one.say(one.invoice())
    link = one.link()
    lines = [
        row
        for row in one.pipeline.objects("Invoice", one.realm)[0]["Line"]
        if row["DetailType"] == "SalesItemLineDetail"
    ]
    one.bookkeeper(action="update", entity="Invoice", id=link.qbo_id, members={"Line": [{**lines[0], "Amount": 77}]})
    one.say(one.invoice(lines=(line("200.00"),)))
    one.failed("conflict:edited-in-qbo")
    one.try_again(overwrite=True)
    one.goes()


@tries("conflict:voided-in-qbo")
def _voided(one: Situation) -> None:
    one.say(one.invoice())
    one.bookkeeper(action="void", entity="Invoice", id=one.link().qbo_id)
    one.say(one.invoice(lines=(line("200.00"),)))
    one.failed("conflict:voided-in-qbo")
    one.say(one.invoice(step=Step.VOIDED))
    one.goes()


@tries("conflict:voided-before")
def _voided_before(one: Situation) -> None:
    one.say(one.invoice())
    one.say(one.invoice(step=Step.VOIDED))
    one.say(one.invoice())
    one.failed("conflict:voided-before")
    one.say(one.invoice("i2"))
    one.goes(id="i2")
    one.say(one.invoice(step=Step.VOIDED))
    one.goes()


@tries("currency-changed")
def _currency(one: Situation) -> None:
    one.say(one.invoice())
    one.say(one.invoice(currency="EUR"))
    one.failed("currency-changed")
    one.say(one.invoice(step=Step.VOIDED))
    one.say(one.invoice("i2", currency="EUR"))
    one.goes()
    one.goes(id="i2")


@tries("bad-currency")
def _bad_currency(one: Situation) -> None:
    """Its customer of that currency fails, and the job and the document behind it wait under the same cause."""
    one.say(one.invoice(currency="euro"))
    assert (one.link().state, one.link().cause) == ("waiting", "dependency:bad-currency")
    one.say(one.invoice())
    one.goes()


@tries("name-held-by-another")
def _held(one: Situation) -> None:
    one.say(client("c1", org=one.org, name="Alder"))
    one.say(client("c2", org=one.org, name="Alder"))
    one.failed("name-held-by-another", "client", "c2")
    one.say(client("c2", org=one.org, name="Birch"))
    one.goes("client", "c2")


@tries("deleted-in-qbo")
def _deleted(one: Situation) -> None:
    one.say(one.invoice())
    one.bookkeeper(action="delete", entity="Invoice", id=one.link().qbo_id)
    one.say(one.invoice(details="x"))
    one.failed("deleted-in-qbo")
    one.try_again(overwrite=True)
    one.goes()


@tries("name-taken")
def _name_taken(one: Situation) -> None:
    one.bookkeeper(action="create", entity="Vendor", members={"DisplayName": "Alder"})
    one.say(client("c1", org=one.org, name="Alder"))
    one.failed("name-taken", "client", "c1")
    one.execute(
        "UPDATE qbo_link SET name_override = 'Alder (client)', due_at = now(), again = true WHERE org_id = :org"
    )
    one.goes("client", "c1")


@tries("inactive-or-deleted")
def _inactive(one: Situation) -> None:
    item = one.object_id("Item", "Surveying")
    one.bookkeeper(action="deactivate", entity="Item", id=item)
    one.say(one.invoice())
    one.failed("inactive-or-deleted")
    one.bookkeeper(action="reactivate", entity="Item", id=item)
    one.try_again()
    one.goes()


@tries("books-closed")
def _closed(one: Situation) -> None:
    one.say(one.invoice())
    one.bookkeeper(action="close_books", date="2026-03-31")
    one.try_again()
    one.pipeline.jobs.prepare(one.org.id, one.realm)
    one.say(one.invoice(date=dt.date(2026, 3, 5)))
    one.failed("books-closed")
    one.bookkeeper(action="close_books", date=None)
    one.try_again()
    one.goes()


def _fault(one: Situation, cause: str) -> None:
    """What nobody can bring about in the simulator is refused by its code until the person has fixed it."""
    one.say(client(org=one.org))
    rule = {"kind": "fault", "code": FAULTS[cause], "realm": one.realm, "entity": "Invoice", "operation": "create"}
    one.pipeline.simulator.call(lambda world: world.troubles.add(rule))
    one.say(one.invoice())
    one.failed(cause)
    one.pipeline.simulator.call(lambda world: world.troubles.remove())
    one.try_again()
    one.goes()


CAUSES = [words.cause for words in (*MAPPING, *CONFLICTS, *REFUSALS)]


@pytest.fixture(scope="module")
def shared(database_server: URL, template_database: URL) -> Iterator[Pipeline]:
    settings = Settings.from_environment(
        quota_enabled=False, concurrent_refresh_seconds=0, inactive_reference_code="610"
    )
    with cloned_database(database_server, template_database) as url, Simulator(settings=settings) as simulator:
        pipeline = open_pipeline(url, simulator)
        yield pipeline
        pipeline.close()
        pipeline.engine.dispose()


@pytest.mark.parametrize("cause", [one for one in CAUSES if one not in ELSEWHERE])
def test_the_remedy_of_a_cause_is_one(shared: Pipeline, cause: str) -> None:
    one = Situation(shared)
    if cause in TRIED:
        TRIED[cause](one)
    elif cause in IN_KOMPASS:
        one.corrected_in_kompass(cause, IN_KOMPASS[cause](one))
    else:
        assert cause in FAULTS, f"try the remedy of {cause} here"
        _fault(one, cause)


def test_what_is_tried_elsewhere_is_there_and_nothing_is_left_over() -> None:
    root = Path(__file__).parents[3]
    for cause, where in ELSEWHERE.items():
        path, _, name = where.partition("::")
        assert name in (root / path).read_text("utf-8"), (cause, where)
    assert {*ELSEWHERE, *TRIED, *IN_KOMPASS} <= {*CAUSES}
