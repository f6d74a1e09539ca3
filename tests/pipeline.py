"""The pipeline in one thread, driven step by step: real Postgres, the simulator for Intuit, no Kafka and no clock to wait for.

What a consumer process does in its threads (ingest, sweep, claim, call, settle) happens here when a test says so, so that a test can
stand between any two of these. The parts are the product's own, put together by `sync.steps.Steps` as in a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Engine, select, text

from consumers.ingest.batch import BatchResult, Ingest
from consumers.runner import Reconciler
from qbo_client.environment import environment_for
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Outcome
from qbo_client.quota import Limits
from qbo_client.transport import Transport
from schemas.codec import Codec
from schemas.events import Event, Kind, kind_of
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Simulator
from simulator.seeds import CANADA, IRELAND, UK, USA, USA_AUTOMATED_TAX
from simulator.world import company_shown
from store import candidates, companies, connections
from store.connections import Tokens
from store.engine import open_engine, retrying
from store.records import SourceEvent
from store.secrets import TokenKeys
from store.tables import link as link_table
from store.tables import metadata
from sync.attempt import Attempt, Late
from sync.batches import Batch, Split, as_batches
from sync.budget import Budget
from sync.claim import Claimed
from sync.metrics import Metrics
from sync.patience import Patience
from sync.policy import Policy
from sync.settings import AttemptPolicy, CompanyPolicy, ProcessPolicy, RetryPolicy
from sync.settle import Answer, Settle, Settled
from sync.steps import Steps
from sync.sweep import sweep

KEY = Fernet.generate_key().decode()
KEYS = TokenKeys([KEY])
LOCALES = {UK: "EU", IRELAND: "EU", CANADA: "Canada", USA: "USA", USA_AUTOMATED_TAX: "USA"}
UNLIMITED = Limits(per_second=10_000, in_flight=1_000, per_minute=100_000, names_in_flight=1_000)
ALL_LANES = 7
AT_ONCE = RetryPolicy(backoff_first_seconds=0.0, backoff_longest_seconds=0.0)
IMPATIENT = Patience(tries=1, lone=0.0)
SEND_WITHIN_S = 30.0
# Where the simulator draws trouble in the background, a record that it struck is tried again on so many days.
DAYS_OF_TROUBLE = 6
# One of those that wait for the same is tried daily by the process, and no moment of theirs says when.
TRIED_FOR_ALL = "books-closed"


@dataclass
class Pipeline:
    engine: Engine
    simulator: Simulator
    owner: str = "test-1"
    lease: float = 60.0
    server_timeout: float = 0.0
    resend_window: float = 600.0
    deadline: float = 10.0
    limits: Limits = UNLIMITED
    budget: Budget = field(default_factory=Budget)
    retries: RetryPolicy = AT_ONCE
    patience: Patience = IMPATIENT
    """What is refused without proof fails at once, and nothing waits."""
    offset: int = 0
    recovered: list[str] = field(default_factory=list)
    """What settles said they recovered from, in the words of the metric."""
    keys: TokenKeys = KEYS
    together: int = 1
    """So many operations of a company go in one batch."""

    def __post_init__(self) -> None:
        environment = environment_for(self.simulator.base_url)
        self.transport = Transport(environment)
        self.oauth = OAuthApp(environment, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)
        self.metrics = Metrics()
        self.codec = Codec()
        self.ingests = {kind: Ingest(self.engine, self.codec, kind) for kind in Kind}
        self.policy = Policy(
            owner=self.owner,
            lane=ALL_LANES,
            attempts=AttemptPolicy(
                lease_seconds=self.lease,
                call_deadline_seconds=self.deadline,
                # Counted from the claim: an answer that a test withholds is over at Intuit after this.
                server_timeout_seconds=self.server_timeout - SEND_WITHIN_S,
                resend_window_seconds=self.resend_window,
            ),
            companies=CompanyPolicy(refresh_lease_seconds=30.0, facts_seconds=86_400.0),
            retries=self.retries,
            limits=self.limits,
            budget=self.budget,
            patience=self.patience,
            send_within=SEND_WITHIN_S,
        )
        self.steps = self.another()
        self.jobs, self.tokens, self.cache = self.steps.preparation, self.steps.tokens, self.steps.preparation.cache
        self.settle_with()

    def another(self, *, transport: Transport | None = None, keys: TokenKeys | None = None, **policy: Any) -> Steps:
        """Put the product's parts together over this database and Intuit, with so much changed."""
        return Steps(
            self.engine,
            replace(self.policy, **policy),
            transport=transport or self.transport,
            oauth=self.oauth,
            keys=keys or self.keys,
            metrics=self.metrics,
        )

    def settle_with(self, **policy: Any) -> None:
        """Settle from now on with so much of the policy changed, and without chance."""
        self.steps.settles = Settle(replace(self.policy, **policy), uniform=lambda low, high: high)

    def reconciler(self, steps: Steps | None = None, **numbers: Any) -> Reconciler:
        """Make a process's threads over parts of its own; they do not run yet. ``numbers`` are those of `ProcessPolicy`."""
        quick = {"workers": 4, "poll_seconds": 0.05, "sweep_seconds": 60.0, "drain_seconds": 5.0}
        steps = steps or self.another()
        steps.policy = replace(steps.policy, process=ProcessPolicy(**{**quick, **numbers}))
        return Reconciler(steps, beat=lambda what: None)

    def close(self) -> None:
        self.transport.close()
        self.oauth.close()

    # Set-up

    def link(
        self, org_id: str = "org-uk", org_name: str = "Meridian Geomatics Ltd", *, realm: str = UK, **more: Any
    ) -> int:
        """Make an Org's Configuration, linked, enabled and with defaults, as the admin would."""
        granted = self.simulator.authorize(realm)
        values: dict[str, Any] = {
            "org": org_id,
            "realm": realm,
            "locale": LOCALES[realm],
            "item": self.object_id(realm, "Item", "Surveying"),
            "enabled": True,
            **more,
        }
        with self.engine.begin() as db:
            db.execute(
                text("INSERT INTO qbo_org (id, name) VALUES (:id, :name) ON CONFLICT DO NOTHING"),
                {"id": org_id, "name": org_name},
            )
            configuration_id = db.execute(
                text(
                    "INSERT INTO qbo_configuration (org_id, realm_id, locale, default_item_id, enabled)"
                    " VALUES (:org, :realm, :locale, :item, :enabled)"
                    " ON CONFLICT (org_id) DO UPDATE SET realm_id = excluded.realm_id RETURNING id"
                ),
                values,
            ).scalar_one()
            connections.link_company(
                db,
                self.keys,
                configuration_id=configuration_id,
                realm_id=realm,
                company_name="",
                tokens=Tokens(
                    access_token=granted["access_token"],
                    refresh_token=granted["refresh_token"],
                    access_expires_at=db.execute(text("SELECT now() + interval '1 hour'")).scalar_one(),
                ),
            )
        self.jobs.prepare(org_id, realm)
        return int(configuration_id)

    def map_vat_rate(self, kompass_id: str, tax_code: str, *, org_id: str = "org-uk", realm: str = UK) -> None:
        """Save a row of Tax Code VAT Rates."""
        with self.engine.begin() as db:
            rate_id = db.execute(
                text(
                    "INSERT INTO qbo_vat_rate (org_id, kompass_id, name) VALUES (:org, :id, :id)"
                    " ON CONFLICT (org_id, kompass_id) DO UPDATE SET name = qbo_vat_rate.name RETURNING id"
                ),
                {"org": org_id, "id": kompass_id},
            ).scalar_one()
            db.execute(
                text(
                    "INSERT INTO qbo_tax_code_vat_rate (configuration_id, realm_id, vat_rate_id, tax_code_id, tax_code_name)"
                    " SELECT id, :realm, :rate, :code, :name FROM qbo_configuration WHERE org_id = :org"
                ),
                {
                    "org": org_id,
                    "realm": realm,
                    "rate": rate_id,
                    "code": self.object_id(realm, "TaxCode", tax_code),
                    "name": tax_code,
                },
            )

    # Driving

    def source(self, event: Event) -> SourceEvent:
        self.offset += 1
        kind = kind_of(event.object)
        return SourceEvent(
            topic=f"kompass.{kind.value}s",
            partition=0,
            offset=self.offset,
            key=f"{kind.value}/{event.object.id}".encode(),
            value=self.codec.encode(event),
        )

    def ingest(self, *events: Event) -> list[BatchResult]:
        """Ingest events as their topics' consumers would, each topic's in the order given."""
        results = []
        for kind in Kind:
            batch = [self.source(event) for event in events if kind_of(event.object) is kind]
            if batch:
                results.append(self.ingests[kind].write(batch))
        return results

    def due(self) -> list[int]:
        with self.engine.begin() as db:
            return [
                link_id
                for _, link_id in candidates.due_candidates(
                    db, lane=1, after_realm="", blocked=(), per_company=1000, limit=1000
                )
                + candidates.due_candidates(db, lane=2, after_realm="", blocked=(), per_company=1000, limit=1000)
                + candidates.due_candidates(db, lane=4, after_realm="", blocked=(), per_company=1000, limit=1000)
            ]

    def claim(self, ids: Iterable[int] | None = None, *, together: int | None = None) -> Claimed:
        wanted = sorted(set(self.due() if ids is None else ids))
        return self.steps.claim(wanted, calls_allowed={}, together=self.together if together is None else together)

    def call(self, attempt: Attempt) -> Outcome:
        """Make the call of one claimed link; gives what became of it."""
        return self.send(Batch((attempt,)))

    def send(self, batch: Batch) -> Outcome:
        """Make one call as it is, for any owner of its links; gives what became of it."""
        outcome = self.steps.sender.send(batch)
        assert outcome is not None
        assert not isinstance(outcome, Late)
        return outcome

    def answers(self, attempts: Iterable[Attempt]) -> list[Answer]:
        """Make the calls of claimed links, those of a batch together; gives the answer of each."""
        return [one for batch in as_batches(attempts) for one in self.steps.answers(self.steps.send(batch))]

    def settle(self, *answers: Answer) -> Settled:
        return self.steps.settle(answers)

    def sweep(self) -> int:
        due = 0
        for configuration_id in retrying(self.engine, companies.changed):
            due += retrying(self.engine, partial(sweep, configuration_id=configuration_id))
        return due

    def days_of_trouble(self) -> int:
        """How many days may go by until what a troubled company refused for now went through."""
        return DAYS_OF_TROUBLE if self.simulator.world.settings.background_trouble != "none" else 0

    def drive(self, *, rounds: int = 60) -> list[Outcome]:
        """Sweep, claim, call and settle until nothing is due; gives what Intuit answered."""
        outcomes: list[Outcome] = []
        days = self.days_of_trouble()
        for _ in range(rounds):
            self.sweep()
            ids = self.due()
            if not ids and days and self._a_day_later():
                days -= 1
                continue
            if not ids:
                return outcomes
            claimed = self.claim(ids)
            for realm, org in claimed.unready.items():
                self.jobs.prepare(
                    org,
                    realm,
                    refused_by_facts=realm in claimed.refused_by_facts,
                    was_held_up=realm in claimed.held_up,
                )
            answers = self.answers(claimed.attempts)
            outcomes += [answer.outcome for answer in answers if not isinstance(answer.outcome, Late | Split)]
            if answers:
                self.recovered += self.settle(*answers).recoveries
            if not claimed.attempts:
                self._hasten()
        raise AssertionError(f"still due after {rounds} rounds: {self.links()}")

    def _a_day_later(self) -> int:
        """Make what is tried daily due; gives how many links that are."""
        with self.engine.begin() as db:
            due = text("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL OR cause = :cause")
            return int(db.execute(due, {"cause": TRIED_FOR_ALL}).rowcount)

    def _hasten(self) -> None:
        """Let the moments for which links were put off be now."""
        with self.engine.begin() as db:
            db.execute(text("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL"))
            db.execute(text("UPDATE qbo_connection SET refresh_lease_until = NULL WHERE refresh_owner = ''"))

    # Looking

    def links(self, **where: Any) -> list[Any]:
        with self.engine.begin() as db:
            rows = db.execute(select(link_table).order_by(link_table.c.id)).all()
        return [row for row in rows if all(getattr(row, name) == value for name, value in where.items())]

    def one(self, kind: str, kompass_id: str, **where: Any) -> Any:
        (row,) = self.links(kind=kind, kompass_id=kompass_id, **where)
        return row

    def rows(self, table: str) -> Sequence[Any]:
        with self.engine.begin() as db:
            return db.execute(select(metadata.tables[table]).order_by(text("1"))).all()

    def objects(self, entity: str, realm: str = UK) -> list[dict[str, Any]]:
        """Give a company's objects of one entity, as the simulator holds them."""
        return self.simulator.call(lambda world: list(company_shown(world.companies[realm])["objects"].get(entity, [])))

    def object_id(self, realm: str, entity: str, name: str) -> str:
        for one in self.objects(entity, realm):
            if one.get("Name") == name or one.get("FullyQualifiedName") == name:
                return str(one["Id"])
        raise AssertionError(f"no {entity} {name!r} in {realm}")

    def requests(self) -> list[Any]:
        """Give the API requests the simulator has logged, oldest first."""
        return self.simulator.call(lambda world: list(world.journal))


def answers_of(batch: Batch, outcome: Outcome) -> list[Answer]:
    """Give each member's part of what became of a call."""
    return [Answer(attempt, one, together=len(batch.attempts)) for attempt, one in batch.outcomes(outcome)]


def open_pipeline(url: str, simulator: Simulator, **more: Any) -> Pipeline:
    return Pipeline(open_engine(url, pool_size=5), simulator, **more)
