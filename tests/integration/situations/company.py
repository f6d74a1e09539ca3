"""An Org with its QuickBooks company, as Kompass, a bookkeeper and an admin change it in turns.

A story says what they do, and then looks into the simulator, the link, the mails and `why`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Protocol

from click.testing import CliRunner
from sqlalchemy import Connection

from consumers.dead_letter_tools.commands import dead_letters_command
from consumers.inquiry.why import why
from schemas.events import Client, Invoice, InvoiceLine, OrgRef, Project, Record, VatRate, kind_of
from schemas.link_state import Because
from simulator import bookkeeper
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA
from store.engine import retrying
from sync.attempt import Attempt
from sync.by_hand import Customer, KnownClient, link_customer, override_name
from sync.keeping import keep_quickbooks
from sync.link import Wish, make_due
from tests import builders
from tests import pipeline as pipelines
from tests.integration.notifier.harness import Post, plain
from tests.pipeline import Pipeline

SYNCED: Final = ("synced", "")
LONG_AGO: Final = 11 * 60
"""Seconds after which a call without an answer is looked up and not sent again."""


@dataclass(frozen=True)
class Place:
    """A locale: what a company is like, and what Kompass bills there."""

    like: str
    currency: str
    vat: VatRate | None
    tax_code: str = ""


UK_PLACE: Final = Place(UK, "GBP", VatRate("vat-20", "Standard 20 %", Decimal(20)), "20.0% S")
CANADA_PLACE: Final = Place(CANADA, "CAD", VatRate("hst-on", "HST Ontario", Decimal(13)), "HST ON")
USA_PLACE: Final = Place(USA, "USD", None)
SELF_NUMBERED_PLACE: Final = Place(SELF_NUMBERED, "USD", None)
THREE: Final = (UK_PLACE, CANADA_PLACE, USA_PLACE)


class World(Protocol):
    """What a company needs of the parts that it shares with others."""

    pipeline: Pipeline
    post: Post

    def go(self, *companies: Company, rounds: int = 80, together: int = 1) -> None: ...

    def due(self, realms: Sequence[str]) -> list[int]: ...

    def execute(self, statement: str, **values: Any) -> None: ...


@dataclass
class Company:
    """An Org with its QuickBooks company, as Kompass, a bookkeeper and an admin change it in turns."""

    world: World
    place: Place
    number: int
    configuration: dict[str, Any]
    sequences: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.realm = f"92{self.number:014d}"
        self.org = OrgRef(f"org-{self.number}", f"Company {self.number}")
        self.address = f"books@company-{self.number}.example"
        self.pipeline = self.world.pipeline
        self.simulator = self.pipeline.simulator
        pipelines.LOCALES[self.realm] = pipelines.LOCALES.get(self.place.like, "USA")
        self.simulator.call(
            lambda world: world.add_company(realm=self.realm, name=self.org.name, like=self.place.like, changes={})
        )
        item = "Surveying" if self.place.like == UK else self.objects("Item")[0]["Name"]
        self.pipeline.link(
            self.org.id, self.org.name, realm=self.realm, item=self.pipeline.object_id(self.realm, "Item", item)
        )
        self.configure(notification_recipients=[self.address], **self.configuration)
        if self.place.vat is not None:
            self.pipeline.map_vat_rate(self.place.vat.id, self.place.tax_code, org_id=self.org.id, realm=self.realm)

    # Kompass

    def client(self, id: str = "c1", **more: Any) -> Client:
        return builders.client(id, org=self.org, currency=self.place.currency, **more)

    def project(self, id: str = "p1", *, of: Client | None = None, **more: Any) -> Project:
        return builders.project(id, of=of or self.client(), org=self.org, **more)

    def line(self, net: str, position: int = 1, **more: Any) -> InvoiceLine:
        return builders.line(net, vat=self.place.vat, position=position, **more)

    def invoice(self, id: str = "i1", *nets: str, of: Project | None = None, **more: Any) -> Invoice:
        lines = tuple(self.line(net, position) for position, net in enumerate(nets or ("100.00",), 1))
        values: dict[str, Any] = {"lines": lines, "currency": self.place.currency, **more}
        return builders.invoice(id, of=of or self.project(), org=self.org, **values)

    def say(self, *records: Record) -> None:
        """Let Kompass say these, each newer than what it said before."""
        events = []
        for one in records:
            key = f"{kind_of(one)} {one.id}"
            # Those that others carry are of sequence 1.
            self.sequences[key] = self.sequences.get(key, 1) + 1
            events.append(builders.event(replace(one, sequence=self.sequences[key])))
        self.pipeline.ingest(*events)

    def said(self, *records: Record) -> None:
        """Let Kompass say these, and send what is due."""
        self.say(*records)
        self.go()

    # The processes

    def go(self, *, together: int = 1) -> None:
        self.world.go(self, together=together)

    def claim(self, *, together: int = 1) -> list[Attempt]:
        """Claim what is due, once what the company has to be asked first is known."""
        while True:
            self.pipeline.sweep()
            claimed = self.pipeline.claim(self.world.due([self.realm]), together=together)
            if claimed.attempts or not claimed.unready:
                return list(claimed.attempts)
            for realm, org in claimed.unready.items():
                self.pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)

    def lost(self, *, together: int = 1) -> list[Attempt]:
        """Send what is due, and lose the answers with the process."""
        attempts = self.claim(together=together)
        self.pipeline.answers(attempts)
        return attempts

    def turn(self) -> list[Attempt]:
        """One claim with its calls and answers."""
        attempts = self.claim()
        self.pipeline.settle(*self.pipeline.answers(attempts))
        return attempts

    def later(self, seconds: float = LONG_AGO) -> None:
        """Let time go by for what the database keeps of this company."""
        moments = {
            "qbo_link": ("due_at", "last_failed_at", "first_failed_at", "synced_at"),
            "qbo_attempt": ("heartbeat_at", "first_sent_at"),
            "qbo_company_facts": ("fetched_at", "refetch_at"),
            "qbo_probe": ("probed_at",),
        }
        for table, columns in moments.items():
            earlier = ", ".join(f"{one} = {one} - :by * interval '1 second'" for one in columns)
            self.execute(f"UPDATE {table} SET {earlier} WHERE realm_id = :realm", by=seconds, realm=self.realm)
        # What was made was made at Intuit's time, which stands: the call is over now, and not before that.
        over = "UPDATE qbo_attempt SET resend_after = least(resend_after, now()) WHERE realm_id = :realm"
        self.execute(over, realm=self.realm)

    def hours(self, hours: float, *, each: float = 600.0) -> None:
        """Let hours go by in steps, with what becomes due in between."""
        for _ in range(int(hours * 3600 / each)):
            self.go()
            self.later(each)
        self.go()

    # The bookkeeper

    def bookkeeper(self, action: str, **more: Any) -> list[dict[str, Any]]:
        wanted = {"action": action, **more}
        made: list[dict[str, Any]] = self.simulator.call(
            lambda world: bookkeeper.edit(world.companies[self.realm], wanted)
        )
        return made

    def change(self, kind: str, id: str, **members: Any) -> None:
        there = self.there(kind, id)
        self.bookkeeper("update", entity=self.entity(kind, id), id=there["Id"], members=members)

    def pay(self, id: str = "i1", amount: str = "40.00") -> None:
        self.bookkeeper("pay", id=self.link("invoice", id).qbo_id, amount=amount)

    def close_books(self, date: str | None) -> None:
        """Close the books up to and with that day, or open them. QuickBooks says so; under 5010 it would be tried again for hours first."""
        self.simulator.call(lambda world: world.change_settings({"closed_period_code": "6210"}))
        self.bookkeeper("close_books", date=date)

    # The admin

    def configure(self, **columns: Any) -> None:
        set_to = ", ".join(f"{name} = :{name}" for name in columns)
        self.execute(f"UPDATE qbo_configuration SET {set_to} WHERE org_id = :org", **columns, org=self.org.id)

    def execute(self, statement: str, **values: Any) -> None:
        self.world.execute(statement, **values)

    def by_hand(self, deed: Callable[[Connection], Any]) -> Any:
        return retrying(self.pipeline.engine, deed)

    def try_again(self) -> None:
        """Press Try again for everything that failed."""
        self.run(dead_letters_command, "replay", "--org", self.org.id, "--force")

    def press_try_again(self, kind: str = "invoice", id: str = "i1") -> None:
        """Press Try again on the page of one record."""
        self.by_hand(lambda db: make_due(db, [self.link(kind, id).id], Because.RESEND, "ada pressed Try again"))

    def choose_kompass(self, kind: str = "invoice", id: str = "i1") -> None:
        """Press Send what Kompass says."""
        words, wish = "ada chose what Kompass says", (Wish.OVERWRITE,)
        self.by_hand(lambda db: make_due(db, [self.link(kind, id).id], Because.RESEND, words, wishes=wish))

    def choose_quickbooks(self, kind: str = "invoice", id: str = "i1") -> None:
        """Press Keep what QuickBooks says."""
        self.by_hand(lambda db: keep_quickbooks(db, self.link(kind, id).id, by="ada"))

    def run(self, command: Any, *arguments: str) -> str:
        result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return str(result.output)

    def name(self, name: str, kind: str = "client", id: str = "c1") -> None:
        """Give a record a DisplayName override."""
        self.by_hand(lambda db: override_name(db, self.link(kind, id).id, name, by="ada"))

    def link_client(self, there: dict[str, Any], id: str = "c1") -> None:
        """Link a client to a customer that QuickBooks has."""
        client = KnownClient(self.org.id, id, id, None)
        customer = Customer(there["Id"], there["DisplayName"], self.place.currency)
        former = next(
            (one.qbo_id for one in self.pipeline.links(kind="client", kompass_id=id, org_id=self.org.id)), None
        )
        active = {one["Id"] for one in self.objects("Customer") if one["Active"]}
        gone = former if former not in active else None
        self.by_hand(lambda db: link_customer(db, client, self.realm, customer, by="ada", gone=gone))

    # Trouble

    def trouble(self, **rule: Any) -> None:
        self.simulator.call(lambda world: world.troubles.add({"realm": self.realm, **rule}))

    def no_more_trouble(self) -> None:
        def remove(world: Any) -> None:
            world.troubles.rules[:] = [one for one in world.troubles.rules if one.realm != self.realm]

        self.simulator.call(remove)

    # Looking

    def link(self, kind: str = "invoice", id: str = "i1", **where: Any) -> Any:
        return self.pipeline.one(kind, id, org_id=self.org.id, **where)

    def stands(self, kind: str = "invoice", id: str = "i1") -> tuple[str, str]:
        link = self.link(kind, id)
        return link.state, link.cause

    def objects(self, entity: str = "Invoice") -> list[dict[str, Any]]:
        return self.pipeline.objects(entity, self.realm)

    def entity(self, kind: str, id: str) -> str:
        return str(self.link(kind, id).entity) or ("Invoice" if kind == "invoice" else "Customer")

    def there(self, kind: str = "invoice", id: str = "i1") -> dict[str, Any]:
        """What QuickBooks has of a record: by our link, or by the mark of a document where the link knows nothing."""
        link, entity = self.link(kind, id), self.entity(kind, id)
        found = [
            one for one in self.objects(entity)
            if one["Id"] == link.qbo_id or (link.qbo_id is None and self.is_marked(one, id))
        ]  # fmt: skip
        assert len(found) == 1, (self.org.id, found)
        return found[0]

    @staticmethod
    def is_marked(document: dict[str, Any], id: str) -> bool:
        return f"Kompass invoice {id} " in str(document.get("PrivateNote", ""))

    def marked(self, id: str = "i1") -> list[dict[str, Any]]:
        """Every document of the company that carries the mark of this invoice."""
        return [one for entity in ("Invoice", "CreditMemo") for one in self.objects(entity) if self.is_marked(one, id)]

    def owed(self) -> Decimal:
        """What all documents of ours come to in the company's books."""
        owed = sum((Decimal(str(one["TotalAmt"])) for one in self.objects("Invoice")), Decimal(0))
        return owed - sum((Decimal(str(one["TotalAmt"])) for one in self.objects("CreditMemo")), Decimal(0))

    def gross(self, net: str) -> Decimal:
        rate = self.place.vat.rate if self.place.vat is not None else Decimal(0)
        return (Decimal(net) * (1 + rate / 100)).quantize(Decimal("0.01"))

    def failures(self, *, ever: bool = False) -> list[Any]:
        rows = [one for one in self.pipeline.rows("qbo_failure") if one.org_id == self.org.id]
        return [one for one in rows if ever or one.closed_at is None]

    def causes(self) -> list[str]:
        return sorted(one.cause for one in self.failures())

    def remarks(self) -> list[Any]:
        rows = [one for one in self.pipeline.rows("qbo_difference") if one.org_id == self.org.id]
        return [one for one in rows if one.kompass_total is None]

    def mails(self, **span: float) -> list[str]:
        """The texts of the mails that this Org gets as so much time goes by."""
        # An all clear comes a minute after it was noticed that the last failure is resolved.
        sent = [*self.world.post.later(**span), *self.world.post.later(minutes=2)]
        return [plain(one) for one in sent if self.address in str(one["To"])]

    def why(self, kind: str = "invoice", id: str = "i1") -> str:
        answer = self.run(why, kind, id, "--org", self.org.id)
        assert f"company {self.realm}: {self.link(kind, id).state}" in answer, answer
        return answer

    def calls(self, operation: str, entity: str = "") -> int:
        return sum(
            1 for one in self.pipeline.requests()
            if one.realm == self.realm and one.operation == operation and entity in ("", one.entity)
        )  # fmt: skip
