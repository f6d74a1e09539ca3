"""Situations in which a record may be when somebody asks what is to be done about it, each made by the pipeline and the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.events import Action, InvoiceType, Record, Step, VatRate, kind_of
from simulator import CANADA, UK, USA, bookkeeper
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


@dataclass
class World:
    """One Org and its company, and the record that is asked about."""

    pipeline: Pipeline
    realm: str = UK
    asked: Record | None = None
    deleted: bool = False
    party_id: str | None = None
    """Of a project with several links: whose."""

    def say(self, *records: Record, deleted: bool = False) -> None:
        """Kompass says something of these; the last one is asked about."""
        for one in records:
            self.pipeline.ingest(event(one, action=Action.DELETE if deleted else Action.UPDATE))
        self.asked, self.deleted = records[-1], deleted

    def sync(self, *records: Record) -> None:
        self.say(*records)
        self.pipeline.drive()

    def run(self, statement: str) -> None:
        with self.pipeline.engine.begin() as db:
            db.exec_driver_sql(statement)

    def configure(self, assignments: str) -> None:
        self.run(f"UPDATE qbo_configuration SET {assignments}")

    def edit(self, action: str, *, entity: str = "Invoice", **more: Any) -> None:
        found = self.pipeline.objects(entity, self.realm)[-1]
        wanted = {"action": action, "entity": entity, "id": found["Id"], **more}
        self.pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[self.realm], wanted))

    def edit_lines(self) -> None:
        """A bookkeeper writes another amount into the first line."""
        (first, *_) = self.pipeline.objects("Invoice", self.realm)[-1]["Line"]
        detail = {
            name: value for name, value in first["SalesItemLineDetail"].items() if name not in ("Qty", "UnitPrice")
        }
        self.edit("update", members={"Line": [{**first, "Amount": 77, "SalesItemLineDetail": detail}]})

    def step(self, rounds: int = 1) -> None:
        """Claim, call and settle what is due now, and leave what comes of it."""
        for _ in range(rounds):
            answers = self.pipeline.answers(self.pipeline.claim().attempts)
            if answers:
                self.pipeline.settle(*answers)

    def link(self) -> Any:
        assert self.asked is not None
        found = self.pipeline.links(kind=kind_of(self.asked).value, kompass_id=self.asked.id, realm_id=self.realm)
        if self.party_id is not None:
            found = [one for one in found if one.party_id == self.party_id]
        (one,) = found
        return one


SITUATIONS: dict[str, tuple[Callable[[World], None], str]] = {}
"""By name: how it comes about, and what is decided: ``outcome`` or ``outcome cause``."""


def situation(expected: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    def kept(make: Callable[[World], None]) -> Callable[[World], None]:
        SITUATIONS[make.__name__] = (make, expected)
        return make

    return kept


DEARER = (line("130.00"),)
ALBA, BERG = client("c1", name="Alba"), client("c2", name="Berg")


@situation("create")
def a_new_client(world: World) -> None:
    world.say(ALBA)


@situation("create")
def a_new_project(world: World) -> None:
    world.sync(client())
    world.say(project())


@situation("create")
def a_new_invoice(world: World) -> None:
    world.sync(project())
    world.say(invoice())


@situation("nothing")
def an_invoice_that_says_the_same(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2))


@situation("update")
def an_invoice_with_another_text(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2, details="PO 7"))


@situation("update")
def an_invoice_with_other_lines(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2, lines=DEARER))


@situation("update")
def a_client_with_another_address(world: World) -> None:
    world.sync(client())
    world.say(client(sequence=2, phone="+44 117 1"))


@situation("fail name-held-by-another")
def a_name_that_another_client_has(world: World) -> None:
    world.sync(ALBA)
    world.say(client("c2", name="Alba"))


@situation("fail name-held-by-another")
def a_name_that_another_client_had_when_it_was_first_decided(world: World) -> None:
    world.sync(ALBA, client("c2", name="Alba"))
    world.say(client("c2", name="Alba", sequence=2))


@situation("create")
def a_job_under_two_payers(world: World) -> None:
    world.sync(BERG, project("p1", of=ALBA))
    world.say(project("p1", of=ALBA, billing_client=BERG, sequence=2))
    world.party_id = "c2"


@situation("nothing")
def a_job_of_a_former_payer(world: World) -> None:
    world.sync(BERG, project("p1", of=ALBA))
    world.sync(project("p1", of=ALBA, billing_client=BERG, sequence=2))
    world.party_id = "c1"


@situation("skip synchronize-off")
def synchronize_is_off(world: World) -> None:
    world.say(invoice(synchronize=False))


@situation("skip step:draft")
def a_draft(world: World) -> None:
    world.say(invoice(step=Step.DRAFT))


@situation("skip journal")
def a_journal(world: World) -> None:
    world.say(invoice(type=InvoiceType.JOURNAL))


@situation("skip before-start-date")
def before_the_start_date(world: World) -> None:
    world.configure("start_date = '2026-04-01'")
    world.say(invoice())


@situation("update")
def sent_and_before_the_start_date(world: World) -> None:
    world.sync(invoice())
    world.configure("start_date = '2026-04-01'")
    world.say(invoice(sequence=2, details="PO 7"))


@situation("skip void-never-sent")
def a_void_that_was_never_sent(world: World) -> None:
    world.say(invoice(step=Step.VOIDED))


@situation("void")
def a_void_of_what_was_sent(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2, step=Step.VOIDED))


@situation("nothing")
def voided_already(world: World) -> None:
    world.sync(invoice())
    world.sync(invoice(sequence=2, step=Step.VOIDED))
    world.say(invoice(sequence=3, step=Step.VOIDED, details="again"))


@situation("fail conflict:voided-before")
def approved_again_after_a_void(world: World) -> None:
    world.sync(invoice())
    world.sync(invoice(sequence=2, step=Step.VOIDED))
    world.say(invoice(sequence=3))


@situation("withdraw step:draft")
def taken_back(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2, step=Step.DRAFT))


@situation("nothing deleted")
def a_client_deleted_in_kompass(world: World) -> None:
    world.sync(client())
    world.say(client(sequence=2), deleted=True)


@situation("skip project-customers-off")
def project_customers_are_off(world: World) -> None:
    world.configure("project_customers = false")
    world.say(project())


@situation("nothing")
def project_customers_were_switched_off_later(world: World) -> None:
    world.sync(invoice())
    world.configure("project_customers = false")
    world.say(invoice(sequence=2))


@situation("fail no-tax-code:vat-5")
def no_tax_code(world: World) -> None:
    world.sync(project())
    world.say(invoice(lines=(line(vat=VatRate("vat-5", "Reduced 5 %", Decimal(5))),)))


@situation("fail no-item:svc-lidar")
def no_item(world: World) -> None:
    world.sync(project())
    world.configure("default_item_id = ''")
    world.say(invoice())


@situation("fail template-error")
def a_template_that_fails(world: World) -> None:
    world.sync(project())
    world.configure("doc_number_template = '{{ invoice.reference[40] }}{{ 1 / 0 }}'")
    world.say(invoice())


@situation("wait dependency")
def a_customer_that_is_not_there(world: World) -> None:
    world.say(project())


@situation("wait dependency:name-held-by-another")
def a_customer_that_failed(world: World) -> None:
    world.sync(ALBA)
    world.sync(project("p9", of=client("c2", name="Alba")))


@situation("wait dependency:name-held-by-another")
def a_job_whose_customer_failed(world: World) -> None:
    world.sync(ALBA)
    world.sync(invoice("i9", of=project("p9", of=client("c2", name="Alba"))))


@situation("fail party-not-synced")
def a_customer_that_is_not_to_be_synced(world: World) -> None:
    world.say(client("c3"), deleted=True)
    world.pipeline.drive()
    world.say(project("p3", of=client("c3", sequence=0)))


@situation("wait not-enabled")
def not_enabled(world: World) -> None:
    world.sync(project())
    world.configure("enabled = false")
    world.say(invoice())


@situation("wait disconnected")
def disconnected(world: World) -> None:
    world.sync(project())
    world.run("UPDATE qbo_connection SET state = 'disconnected', disconnect_message = 'the grant was revoked'")
    world.say(invoice())


@situation("wait dependency")
def a_second_currency(world: World) -> None:
    world.sync(project())
    world.configure("project_customers = false")
    world.say(invoice(currency="EUR"))


@situation("fail currency-changed")
def another_currency_of_what_was_sent(world: World) -> None:
    world.configure("project_customers = false")
    world.sync(invoice(), invoice("i2", currency="EUR"))
    world.say(invoice(sequence=2, currency="EUR"))


@situation("update")
def a_name_override(world: World) -> None:
    world.sync(client())
    world.run("UPDATE qbo_link SET name_override = 'Harbour (DE)', refresh_names = true")
    world.say(client(sequence=2))


@situation("nothing")
def an_edited_template(world: World) -> None:
    world.sync(invoice())
    world.configure("doc_number_template = 'N-{{ invoice.reference }}'")
    world.say(invoice(sequence=2))


@situation("update")
def an_edited_template_that_somebody_applied(world: World) -> None:
    world.sync(invoice())
    world.configure("doc_number_template = 'N-{{ invoice.reference }}'")
    world.run("UPDATE qbo_link SET refresh_names = true")
    world.say(invoice(sequence=2))


@situation("read")
def a_pending_read(world: World) -> None:
    world.sync(invoice())
    world.edit_lines()
    world.say(invoice(sequence=2, lines=DEARER))
    # Sent with a SyncToken that is stale, and refused.
    world.step()
    assert world.link().state == "retrying"


@situation("fail conflict:edited-in-qbo")
def a_conflict_that_was_read_just_now(world: World) -> None:
    a_pending_read(world)
    world.step()
    assert world.link().state == "pending"


@situation("read")
def a_conflict_that_a_person_has_seen(world: World) -> None:
    a_pending_read(world)
    world.pipeline.drive()
    assert world.link().cause == "conflict:edited-in-qbo"


@situation("update")
def a_conflict_that_a_person_decided(world: World) -> None:
    a_conflict_that_a_person_has_seen(world)
    world.run("UPDATE qbo_link SET overwrite = true, due_at = now() WHERE state = 'failed'")
    world.step()


@situation("fail conflict:paid")
def paid_in_quickbooks(world: World) -> None:
    world.sync(invoice())
    world.edit("pay")
    world.say(invoice(sequence=2, lines=DEARER))
    world.step(2)


@situation("read")
def deleted_in_quickbooks(world: World) -> None:
    world.sync(invoice())
    world.edit("delete")
    world.sync(invoice(sequence=2, lines=DEARER))
    assert world.link().cause == "deleted-in-qbo"


@situation("create")
def deleted_in_quickbooks_and_to_be_recreated(world: World) -> None:
    deleted_in_quickbooks(world)
    world.run("UPDATE qbo_link SET overwrite = true WHERE state = 'failed'")


@situation("read")
def linked_by_hand_and_not_read(world: World) -> None:
    world.sync(client("c9"))
    (there,) = world.pipeline.objects("Customer", world.realm)
    world.say(client())
    linked = f"qbo_id = '{there['Id']}', entity = 'Customer', currency = 'GBP', adopted = true"
    world.run(f"UPDATE qbo_link SET {linked} WHERE kompass_id = 'c1'")


@situation("fail conflict:type-changed")
def an_invoice_that_became_a_credit_note(world: World) -> None:
    world.sync(invoice())
    world.say(invoice(sequence=2, lines=(line("-100.00"),)))
    # It is read before a person is asked.
    world.step()


@situation("create")
def an_invoice_of_canada(world: World) -> None:
    abroad(world, CANADA)
    world.pipeline.map_vat_rate("vat-5", "GST", realm=CANADA)
    world.sync(project())
    world.say(invoice(currency="CAD", lines=(line(vat=VatRate("vat-5", "GST", Decimal(5))),)))


@situation("fail tax-not-booked")
def tax_that_the_usa_would_not_book(world: World) -> None:
    abroad(world, USA)
    world.sync(project())
    world.say(invoice(currency="USD"))


def abroad(world: World, realm: str) -> None:
    """The Org is linked to a company of another country."""
    world.run("DELETE FROM qbo_configuration")
    world.pipeline.cache.forget("org-uk")
    world.pipeline.link(realm=realm)
    world.realm = realm
