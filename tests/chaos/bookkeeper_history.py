"""One company's random history: Kompass, a bookkeeper, an admin, Intuit and the pipeline take turns, and two invariants are watched.

In every history, nothing that the books protect changes without a person's choice; and when all have come to rest and everything was
looked at once more, no link counts as synced whose object in the simulator says something else in a member that we own.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from mapping.books import BOOKS, VOID, not_taken
from mapping.case import entity_of, needed_party, why_not_synced
from mapping.payloads import map_record
from schemas.events import Client, Event, Invoice, InvoiceType, OrgRef, Project, Step
from schemas.observed import Observed
from simulator import bookkeeper
from simulator.bookkeeper import BookkeeperError
from simulator.seeds import UK
from store.searching import links_by_id
from sync.by_hand import CannotLink
from sync.companies import read_company
from sync.decide import predict
from sync.keeping import keep_quickbooks
from tests import pipeline as pipelines
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline

TROUBLES: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "name_lock"},
    {"kind": "try_again"},
    {"kind": "saved_anyway"},
    {"kind": "unsupported"},
    {"kind": "not_found_page"},
    {"kind": "server_error", "code": "3100"},
    {"kind": "reset_after"},
    {"kind": "reset_before"},
    {"kind": "http", "status": 503},
)
SETTINGS: Final = (
    ("SalesFormsPrefs", "CustomTxnNumbers"),
    ("AccountingInfoPrefs", "ClassTrackingPerTxnLine"),
    ("SalesFormsPrefs", "AutoApplyCredit"),
)
PROTECTED: Final = ("Line", "CustomerRef", "TxnDate", "CurrencyRef", "TotalAmt")


@dataclass
class History:
    """``steps`` moves of one seed, in a company of its own."""

    pipeline: Pipeline
    seed: int
    steps: int = 30
    journal: list[str] = field(default_factory=list)
    """What happened, for the reader of a find."""
    chosen: set[str] = field(default_factory=set)
    """Kompass ids of documents for which a person chose Kompass's side."""
    by_hand: set[str] = field(default_factory=set)
    brought_back: set[str] = field(default_factory=set)
    """Invoices that were void until a bookkeeper typed amounts into them: what was made in their place stays."""
    """Ids of customers that the bookkeeper renamed, merged or made inactive."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.realm = f"92{self.seed:014d}"
        self.org = OrgRef(f"org-{self.seed}", f"Company {self.seed}")
        pipelines.LOCALES[self.realm] = "EU"
        warns = self.rng.random() < 0.7
        self.simulator.call(
            lambda world: world.add_company(
                realm=self.realm, name=self.org.name, like=UK, changes={"warn_duplicate_numbers": warns}
            )
        )
        self.pipeline.link(self.org.id, self.org.name, realm=self.realm)
        self.pipeline.map_vat_rate("vat-20", "20.0% S", org_id=self.org.id, realm=self.realm)
        if self.rng.random() < 0.5:
            classes = self.pipeline.objects("Class", self.realm)
            self._execute(
                "UPDATE qbo_configuration SET default_class_id = :id WHERE org_id = :org", id=classes[0]["Id"]
            )
        self.clients: dict[str, Client] = {}
        self.projects: dict[str, Project] = {}
        self.invoices: dict[str, Invoice] = {}
        self.sequence = 0

    @property
    def simulator(self) -> Any:
        return self.pipeline.simulator

    # Moves

    def play(self) -> None:
        for number in range(2):
            self._say(self._client(f"c{number}"))
            self._say(self._invoice(f"i{number}"))
        moves: dict[Callable[[], None], int] = {
            self.kompass: 10, self.books: 8, self.push: 12, self.admin: 2, self.preference: 1, self.time: 3,
        }  # fmt: skip
        for _ in range(self.steps):
            self.rng.choices(list(moves), list(moves.values()))[0]()
        self.rest()

    def kompass(self) -> None:
        """Kompass says something new about one record."""
        made: list[Callable[[], Client | Project | Invoice]] = [
            lambda: self._client(f"c{self.rng.randrange(4)}"),
            lambda: self._invoice(f"i{self.rng.randrange(6)}"),
            lambda: self._invoice(f"i{self.rng.randrange(6)}"),
            lambda: self._edited(self.rng.choice(list(self.invoices))),
            lambda: self._edited(self.rng.choice(list(self.invoices))),
            lambda: self._edited(self.rng.choice(list(self.invoices))),
        ]
        self._say(self.rng.choice(made)())

    def _client(self, one: str) -> Client:
        name = f"{self.rng.choice(['Alder', 'Birch', 'Cedar', 'Dogwood', 'Elm'])} {one}"
        email = self.rng.choice([f"{one}@example.com", "nobody"])
        self.clients[one] = client(one, org=self.org, name=name, email=email)
        return self.clients[one]

    def _invoice(self, one: str) -> Invoice:
        owner = self.clients[self.rng.choice(list(self.clients))]
        key = f"p-{owner.id}"
        self.projects[key] = project(key, of=owner, org=self.org)
        nets = [self.rng.choice(["100.00", "50.00", "12.34"]) for _ in range(self.rng.choice([1, 1, 2]))]
        sign = "-" if int(one[1:]) == 5 else ""
        lines = tuple(line(f"{sign}{net}", position=number) for number, net in enumerate(nets, 1))
        self.invoices[one] = invoice(one, of=self.projects[key], org=self.org, lines=lines)
        return self.invoices[one]

    def _edited(self, one: str) -> Invoice:
        was = self.invoices[one]
        day = dt.date(2026, self.rng.choice([2, 3, 4]), 10)
        changes: list[dict[str, Any]] = [
            {"details": f"Text {self.rng.randrange(100)}"},
            {"details": None},
            {"date": day},
            {"due_date": day + dt.timedelta(days=30)},
            {"reference": f"INV-{one}-{self.rng.randrange(3)}"},
            {"step": Step.VOIDED},
            {"step": Step.REJECTED},
            {"step": Step.APPROVED},
            {"step": Step.APPROVED},
            _as_other_type(was),
        ]
        self.invoices[one] = replace(was, **self.rng.choice(changes))
        return self.invoices[one]

    def _say(self, record: Client | Project | Invoice) -> None:
        self.sequence += 1
        said: Event = event(replace(record, sequence=self.sequence))
        step = f" {record.step.value} {record.amount_net} {record.date}" if isinstance(record, Invoice) else ""
        self.journal.append(f"Kompass: {type(record).__name__} {record.id} #{self.sequence}{step}")
        self.pipeline.ingest(said)

    def books(self) -> None:
        """The bookkeeper does something in QuickBooks' own pages."""
        documents = [(entity, one) for entity in ("Invoice", "CreditMemo") for one in self._objects(entity)]
        if not documents:
            return
        entity, one = self.rng.choice(documents)
        customers = [row for row in self._objects("Customer") if row.get("Active") is not False]
        someone = self.rng.choice(customers)
        lines = [row for row in one["Line"] if row["DetailType"] == "SalesItemLineDetail"]
        edited = [{**lines[0], "Amount": Decimal(77)}, *lines[1:]] if lines else []
        here = {"entity": entity, "id": one["Id"]}
        deeds: list[dict[str, Any]] = [
            {"action": "delete", **here},
            {"action": "update", **here, "members": {"Line": [_without_price(row) for row in edited]}},
            {"action": "update", **here, "members": {"PrivateNote": f"{one.get('PrivateNote', '')} seen"}},
            {"action": "update", **here, "members": {"DocNumber": f"B-{self.rng.randrange(50)}"}},
            {"action": "update", **here, "members": {"CustomerRef": {"value": someone["Id"]}}},
            {
                "action": "rename",
                "entity": "Customer",
                "id": someone["Id"],
                "name": f"Renamed {self.rng.randrange(99)}",
            },
            {"action": "merge", "id": someone["Id"], "into": self.rng.choice(customers)["Id"]},
            {"action": "close_books", "date": self.rng.choice([None, "2026-02-28"])},
        ]
        if entity == "Invoice":
            amount = self.rng.choice([{}, {"amount": "10.00"}])
            deeds += 4 * [{"action": "pay", "id": one["Id"], **amount}] + [{"action": "void", **here}]
        payments = self._objects("Payment")
        if payments:
            deeds.append({"action": "delete", "entity": "Payment", "id": self.rng.choice(payments)["Id"]})
        self._bookkeeper(self.rng.choice(deeds))

    def preference(self) -> None:
        group, member = self.rng.choice(SETTINGS)
        self._bookkeeper({"action": "preferences", "group": group, "members": {member: self.rng.random() < 0.5}})

    def _bookkeeper(self, wanted: dict[str, Any]) -> None:
        nothing = {one["Id"] for one in self._objects("Invoice") if not one["TotalAmt"]}
        try:
            changed = self.simulator.call(lambda world: bookkeeper.edit(world.companies[self.realm], wanted))
        except BookkeeperError:
            return
        self.brought_back |= {one["Id"] for one in self._objects("Invoice") if one["TotalAmt"] and one["Id"] in nothing}
        if wanted["action"] in ("rename", "merge"):
            # Names and parents are not read again until Kompass changes them; a merge moves the sub-customers too.
            self.by_hand |= {wanted["id"], *(one["Id"] for one in changed if "DisplayName" in one)}
        self.journal.append(f"bookkeeper: { {name: value for name, value in wanted.items() if name != 'members'} }")

    def push(self) -> None:
        """Claim some of what is due and call, under passing trouble at times; the bookkeeper may come between."""
        self.pipeline.sweep()
        due = self._due()
        claimed = self.pipeline.claim(
            self.rng.sample(due, min(len(due), self.rng.choice([1, 3, 30]))), together=self.rng.choice([1, 30])
        )
        for realm, org in claimed.unready.items():
            self.pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
        if self.rng.random() < 0.25:
            self.books()
        if self.rng.random() < 0.3:
            trouble = {**self.rng.choice(TROUBLES), "count": 1, "realm": self.realm}
            self.journal.append(f"trouble: {trouble['kind']}")
            self.simulator.call(lambda world: world.troubles.add(trouble))
        before = self.protected()
        answers = self.pipeline.answers(claimed.attempts)
        self.simulator.call(lambda world: world.troubles.remove())
        self.journal += [
            f"push: {one.attempt.operation} {one.attempt.link.kompass_id}: {_said(one.outcome)}" for one in answers
        ]
        self._watch(before)
        if answers and self.rng.random() < 0.95:
            self.pipeline.settle(*answers)

    def admin(self) -> None:
        """Somebody presses Try again, chooses a side of one conflict, or switches Enable or Project customers."""
        if self.rng.random() < 0.2:
            column = self.rng.choice(["enabled", "enabled", "project_customers"])
            self.journal.append(f"admin: switches {column}")
            self._execute(f"UPDATE qbo_configuration SET {column} = NOT {column} WHERE org_id = :org")
            return
        failed = [row for row in self._links() if row.state == "failed"]
        if not failed:
            return
        row = self.rng.choice(failed)
        if self.rng.random() < 0.3:
            self._keep(row)
            return
        overwrite = self.rng.random() < 0.3
        if overwrite:
            self.chosen.add(row.kompass_id)
        self.journal.append(
            f"admin: {'Kompass is right about' if overwrite else 'try again'} {row.kompass_id} ({row.cause})"
        )
        self._execute(
            "UPDATE qbo_link SET due_at = now(), again = true, overwrite = overwrite OR :overwrite WHERE id = :id",
            id=row.id, overwrite=overwrite,
        )  # fmt: skip

    def _keep(self, row: Any) -> None:
        try:
            with self.pipeline.engine.begin() as db:
                keep_quickbooks(db, row.id, by="ada")
        except CannotLink as problem:
            self.journal.append(f"admin: may not keep {row.kompass_id} ({row.cause}): {problem}")
        else:
            self.journal.append(f"admin: keeps {row.kompass_id} ({row.cause})")

    def time(self) -> None:
        self._execute("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL AND org_id = :org")
        self._execute(
            "UPDATE qbo_attempt SET first_sent_at = first_sent_at - interval '4 minutes' WHERE realm_id = :realm"
        )

    # Rest, and the two invariants

    def rest(self) -> None:
        """Let everything end, then have every record looked at once more, as a person can ask for."""
        self._execute("UPDATE qbo_configuration SET enabled = true WHERE org_id = :org")
        for again in ("state IN ('failed', 'waiting', 'retrying')", "true", "true"):
            self._execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm")
            self._execute(
                "UPDATE qbo_link SET due_at = now(), again = true,"
                f" sync_token = CASE WHEN kind = 'invoice' THEN NULL ELSE sync_token END WHERE org_id = :org AND {again}"
            )
            self.drive()
        self.agreeing()

    def drive(self) -> None:
        for _ in range(80):
            self.time()
            if not self._due():
                return
            self.pipeline.sweep()
            claimed = self.pipeline.claim(self._due())
            for realm, org in claimed.unready.items():
                self.pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
            before = self.protected()
            answers = self.pipeline.answers(claimed.attempts)
            self.journal += [
                f"rest: {one.attempt.operation} {one.attempt.link.kompass_id}: {_said(one.outcome)}" for one in answers
            ]
            self._watch(before)
            if answers:
                self.pipeline.settle(*answers)
        raise AssertionError(f"still due: {[(row.kompass_id, row.state, row.cause) for row in self._links()]}")

    def protected(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the books protect now: documents with a payment or credit applied, or in a closed period."""
        closed = self.simulator.call(
            lambda world: world.companies[self.realm].preference("AccountingInfoPrefs", "BookCloseDate")
        )
        found = {}
        for entity in ("Invoice", "CreditMemo"):
            for one in self._objects(entity):
                if Observed(one).is_settled or (closed and one["TxnDate"] <= str(closed)):
                    found[entity, one["Id"]] = {name: _books(one.get(name)) for name in PROTECTED}
        return found

    def _watch(self, before: Mapping[tuple[str, str], dict[str, Any]]) -> None:
        now = {
            (entity, one["Id"]): {name: _books(one.get(name)) for name in PROTECTED}
            for entity in ("Invoice", "CreditMemo")
            for one in self._objects(entity)
        }
        ours = {(row.entity, row.qbo_id): row.kompass_id for row in self._links()}
        for key, was in before.items():
            if ours.get(key) not in self.chosen:
                assert now.get(key) == was, f"{key} of {ours.get(key)} is protected by the books and changed"

    def agreeing(self) -> None:
        """No synced link differs from what it should say, and nothing is there twice."""
        rows = [row for row in self._links() if row.state == "synced" and row.qbo_id and row.cause == ""]
        with self.pipeline.engine.connect() as db:
            company = read_company(db, self.org.id)
            assert company is not None
            known = links_by_id(db, [row.id for row in rows])
            cases = {one.link.id: one.case for one in predict(db, [(link, company) for link in known.values()])}
        for row in rows:
            there = next((one for one in self._objects(row.entity) if one["Id"] == row.qbo_id), None)
            if row.kind != "invoice":
                if row.qbo_id in self.by_hand or there is None:
                    continue
            elif row.voided and VOID not in row.kept:
                assert there is None or there["TotalAmt"] == 0, f"{row.kompass_id} is voided, and {there} is there"
                continue
            assert there is not None, f"{row.kompass_id} is synced, and QuickBooks has no {row.entity} {row.qbo_id}"
            case = cases[row.id]
            record = case.record
            if VOID in row.kept or (isinstance(record, Invoice) and row.entity != entity_of(record)):
                # A person left a void, or the former type, as it is.
                continue
            if why_not_synced(case) is not None:
                continue
            assert case.party is None or case.party.qbo_id, row.kompass_id
            payload = map_record(case, case.configuration, needed_party(case)).payload
            left = {*row.kept, *({*row.by_hand} - BOOKS)}
            missed = not_taken(payload, Observed(there), apart_from=left)
            assert not missed, f"{row.kompass_id} is synced, and {missed}"
        ours = {(row.entity, row.qbo_id) for row in rows}
        for one in self.invoices:
            marked = [
                document
                for entity in ("Invoice", "CreditMemo")
                for document in self._objects(entity)
                if not (document["Id"] in self.brought_back and (entity, document["Id"]) not in ours)
                and f"Kompass invoice {one} (" in str(document.get("PrivateNote"))
                and document["TotalAmt"]
            ]
            assert len(marked) <= 1, f"{one} is there {len(marked)} times: {[document['Id'] for document in marked]}"

    # Of this company alone

    def _objects(self, entity: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = json.loads(
            json.dumps(self.pipeline.objects(entity, self.realm)), parse_float=Decimal
        )
        return shown

    def _links(self) -> list[Any]:
        with self.pipeline.engine.connect() as db:
            return list(
                db.execute(text("SELECT * FROM qbo_link WHERE org_id = :org ORDER BY id"), {"org": self.org.id})
            )

    def _due(self) -> list[int]:
        with self.pipeline.engine.connect() as db:
            found = db.execute(
                text("SELECT id FROM qbo_link WHERE org_id = :org AND due_at <= now() ORDER BY id"),
                {"org": self.org.id},
            )
            return list(found.scalars())

    def _execute(self, statement: str, **values: Any) -> None:
        given = {"org": self.org.id, "realm": self.realm, **values}
        with self.pipeline.engine.begin() as db:
            db.execute(text(statement), {name: value for name, value in given.items() if f":{name}" in statement})


def _as_other_type(was: Invoice) -> dict[str, Any]:
    """An invoice that is a credit note of the same lines, or the other way round."""
    lines = tuple(replace(each, amount_net=-each.amount_net, amount_vat=-each.amount_vat) for each in was.lines)
    other = InvoiceType.INVOICE if was.type is InvoiceType.CREDIT_NOTE else InvoiceType.CREDIT_NOTE
    sums = {name: -getattr(was, name) for name in ("amount_net", "amount_vat", "amount_gross")}
    return {"type": other, "lines": lines, **sums}


def _without_price(row: Mapping[str, Any]) -> dict[str, Any]:
    detail = {name: value for name, value in row["SalesItemLineDetail"].items() if name not in ("Qty", "UnitPrice")}
    return {**row, "SalesItemLineDetail": detail}


def _books(value: Any) -> Any:
    """Leave out what the books do not say: texts, Ids and numbers of lines, and names of references."""
    if isinstance(value, dict) and "value" in value:
        # A reference shows the name that its object has now: who pays is the Id.
        return value["value"]
    if not isinstance(value, list):
        return value
    return [
        {name: part for name, part in row.items() if name not in ("Description", "Id", "LineNum", "LinkedTxn")}
        for row in value
        if row.get("DetailType") != "SubTotalLineDetail"
    ]


def _said(outcome: Any) -> str:
    codes = ", ".join(sorted(getattr(outcome, "codes", ())))
    return f"{type(outcome).__name__} {codes}".strip()
