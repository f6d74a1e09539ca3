"""Claim: in one short transaction, judge due links and write an intent for each call that is to be made.

Outcomes for a link: a new intent, an old one taken over (recover), busy (somebody works on it), or nothing to call for. No HTTP happens
here, and the mapping is CPU alone, so the transaction lasts milliseconds.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consumers.crash_points import reached
from consumers.reconcile import judging
from consumers.reconcile.companies import Company, CompanyCache, token_ready
from consumers.reconcile.work import Work
from mapping.judgement import Nothing, Read, Reject, Skip, Wait, Withdraw, Write
from mapping.results import Problem
from qbo_client.quota import Limits, Window, grant
from schemas.events import Kind
from store import companies, connections, failures, history, intents, json, links, quota, records
from store.connections import CompanyConnection
from store.failures import Failure
from store.intents import OpenIntent
from store.links import Link
from store.transactions import retrying

log = logging.getLogger(__name__)

# A link that stands on one that is busy right now: look again when that one has had time to settle.
BUSY_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    owner: str
    lane: int
    lease: float
    """Seconds without a heartbeat after which an intent is taken over."""
    server_timeout: float
    """Seconds after which a call that was sent is certainly over at Intuit."""
    resend_window: float
    """Seconds for which a request id is trusted to be remembered."""
    facts_age: timedelta
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Claimed:
    """What a claim found."""

    work: list[Work] = field(default_factory=list)
    unready: dict[str, str] = field(default_factory=dict)
    """Realm → Org: a token has to be refreshed or facts fetched before anything can be called there."""
    blocked: dict[str, float] = field(default_factory=dict)
    """Realm → seconds until its quota allows the next call."""
    judged: list[tuple[Kind, str, str]] = field(default_factory=list)
    """(kind, outcome, cause) of links that needed no call."""
    woken: bool = False
    """A link of ours became due by what was judged here."""


class Claim:
    """Claims of one process. Not shared between threads: one dispatcher claims at a time."""

    def __init__(
        self, policy: ClaimPolicy, cache: CompanyCache, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = policy
        self._cache = cache
        self._clock = clock

    def __call__(self, db: Connection, ids: Sequence[int], *, calls_allowed: Mapping[str, int]) -> Claimed:
        """Judge these links; at most ``calls_allowed[realm]`` calls come out for a company (no limit where it is absent)."""
        started = self._clock()
        return _Transaction(self._policy, self._cache, db, self._clock, started, dict(calls_allowed)).run(ids)


def grant_anew(db: Connection, realm_id: str, limits: Limits) -> bool:
    """Take one call out of a company's quota, for a call whose first grant grew old before it could be sent."""
    lease = quota.lock_leases(db, [realm_id])[realm_id]
    if lease.blocked_for > 0:
        return False
    granted, window, _ = grant(Window.from_json(lease.window), lease.now, 1, in_flight=0, limits=limits)
    if granted:
        quota.save_window(db, realm_id, window.to_json())
    return bool(granted)


def claim_around(engine: Engine, claim: Claim, ids: Sequence[int], *, calls_allowed: Mapping[str, int]) -> Claimed:
    """Claim these links; one that cannot be judged for a mistake of ours is rejected, and holds up no other.

    Raises the database's errors, after which none of them is claimed, or only the first of them.
    """
    try:
        return retrying(engine, lambda db: claim(db, ids, calls_allowed=calls_allowed))
    except (DBAPIError, PoolTimeout):
        raise
    except Exception as error:
        if len(ids) == 1:
            log.exception("link %d cannot be judged", ids[0])
            (poison,), words = ids, f"{type(error).__name__}: {error}"
            return retrying(engine, lambda db: _set_aside(db, poison, words))
    found, left = Claimed(), dict(calls_allowed)
    for link_id in ids:
        one = claim_around(engine, claim, [link_id], calls_allowed=left)
        for work in one.work:
            if work.link.realm_id in left:
                left[work.link.realm_id] -= 1
        found.work += one.work
        found.unready |= one.unready
        found.blocked |= one.blocked
        found.judged += one.judged
        found.woken = found.woken or one.woken
    return found


def _set_aside(db: Connection, link_id: int, words: str) -> Claimed:
    found = Claimed()
    for link in links.lock_due(db, [link_id]):
        reason = f"{link.kind.value.capitalize()} {link.reference or link.kompass_id}: the sync fails over it ({words[:300]})"
        changes = {
            "state": "rejected",
            "cause": "unforeseen",
            "reason": reason,
            "depends_on": None,
            "due_at": None,
            "again": False,
        }
        links.write(db, [{"id": link.id, **changes}])
        failures.record_failure(
            db,
            Failure(
                stage="map",
                cause="unforeseen",
                message=reason,
                remedy="Hand this message to whoever runs the sync: the log says more. The next change of the record is tried again",
                source=records.read_source(db, (link.org_id, link.kind.value, link.kompass_id)),
                org_id=link.org_id,
                realm_id=link.realm_id,
                link_id=link.id,
                kind=link.kind.value,
                kompass_id=link.kompass_id,
                reference=link.reference,
            ),
        )
        found.judged.append((link.kind, "rejected", "unforeseen"))
        found.woken = bool(links.wake_dependents(db, [link.id]))
    return found


@dataclass(frozen=True, slots=True)
class _New:
    link: Link
    decision: Write | Read
    sequence: int
    version: int
    connection: CompanyConnection


@dataclass(frozen=True, slots=True)
class _Resend:
    link: Link
    opened: OpenIntent
    connection: CompanyConnection


class _Transaction:
    """One claim. Reads everything it needs in a handful of queries, decides, and writes in as few."""

    def __init__(
        self,
        policy: ClaimPolicy,
        cache: CompanyCache,
        db: Connection,
        clock: Callable[[], float],
        started: float,
        allowed: dict[str, int],
    ) -> None:
        self._clock = clock
        self._granted_at = started
        self._policy = policy
        self._cache = cache
        self._db = db
        self._started = started
        self._allowed = allowed
        self._result = Claimed()
        self._changes: list[dict[str, Any]] = []
        self._intents: list[dict[str, Any]] = []
        self._history: list[history.Entry] = []
        self._well: set[int] = set()
        self._wake: set[int] = set()
        self._wanted: dict[str, list[_Resend | _New]] = {}
        self._now = datetime.now(UTC)

    def run(self, ids: Sequence[int]) -> Claimed:
        due = links.lock_due(self._db, ids)
        if not due:
            return self._result
        # The database's clock, the one that every process shares.
        self._now = self._db.execute(select(func.now())).scalar_one()
        opened = intents.read_open(self._db, [link.id for link in due], lease=self._policy.lease)
        versions = companies.hold_versions(self._db, {link.org_id for link in due})
        connected = connections.read_connections(self._db, {link.realm_id for link in due})
        judgeable: list[tuple[Link, Company]] = []
        for link in due:
            version = versions.get(link.org_id)
            company = self._cache.get(self._db, version) if version is not None else None
            if company is None or company.configuration.realm_id != link.realm_id:
                # Its company is not linked any more: nothing of it may ever be sent.
                self._change(link, due_at=None, again=False)
            elif (open_intent := opened.get(link.id)) is not None:
                self._resume(link, open_intent, connected.get(link.realm_id))
            elif company.facts is None:
                connection = connected.get(link.realm_id)
                if connection is not None and connection.connected:
                    self._unready(link)
                else:
                    self._disconnected(link, connection)
            else:
                judgeable.append((link, company))
        self._judge(judgeable, connected)
        self._grant()
        self._write()
        return self._result

    # Recover

    def _resume(self, link: Link, opened: OpenIntent, connection: CompanyConnection | None) -> None:
        if opened.alive:
            self._change(link, due_at=self._now + timedelta(seconds=max(opened.busy_for, 0.01)))
        elif connection is None or not connection.connected:
            self._disconnected(link, connection)
        elif not token_ready(connection):
            self._unready(link)
        else:
            self._wanted.setdefault(link.realm_id, []).append(_Resend(link, opened, connection))

    def _take_over(self, resend: _Resend) -> None:
        """Re-send as it was written while Intuit is trusted to remember the request id; look up afterwards."""
        link, opened, connection = resend.link, resend.opened, resend.connection
        intent = opened.intent
        phase = "lookup" if intent.phase == "lookup" or opened.age > self._policy.resend_window else "send"
        epoch = link.epoch + 1
        self._intents.append(
            {
                **{name: getattr(intent, name) for name in type(intent).__dataclass_fields__},
                "epoch": epoch,
                "phase": phase,
                "attempt": intent.attempt + 1,
                "owner": self._policy.owner,
                "heartbeat_at": self._now,
                "resend_after": self._now + timedelta(seconds=self._policy.server_timeout),
            }
        )
        self._change(link, epoch=epoch, due_at=self._now + timedelta(seconds=self._horizon()))
        sent = intent.sent
        self._result.work.append(
            Work(
                link=replace(link, epoch=epoch),
                epoch=epoch,
                phase="lookup" if phase == "lookup" else "send",
                operation=intent.operation,
                entity=intent.entity,
                object_id=intent.object_id,
                body=intent.body,
                request_id=intent.request_id,
                sent=sent,
                name=intent.name,
                sequence=intent.sequence,
                configuration_version=intent.configuration_version,
                attempt=intent.attempt + 1,
                first_sent_at=intent.first_sent_at,
                claimed_at=self._started,
                granted_at=self._granted_at,
                voided=bool(sent and sent.get(judging.VOIDED)),
                connection_version=connection.version,
            )
        )

    # Judge

    def _judge(self, judgeable: Sequence[tuple[Link, Company]], connected: Mapping[str, CompanyConnection]) -> None:
        cases = judging.read_cases(self._db, judgeable)
        ready: list[tuple[Link, Company, judging.RecordCase]] = []
        for link, company in judgeable:
            case = cases.get(link.id)
            if case is None:
                self._change(link, due_at=None, again=False, reason="Kompass never said what it is")
            elif (fixed := self._fix_currency(link, case)) is not None:
                ready.append((fixed, company, judging.with_currency(case, fixed)))
        parties = judging.find_parties(self._db, [(link, case) for link, _, case in ready], lane=self._policy.lane)
        for link, company, case in ready:
            if link.id in parties.busy:
                self._change(link, due_at=self._now + timedelta(seconds=BUSY_AGAIN_S))
                continue
            party = parties.found.get(link.id)
            decision = judging.decide(self._db, link, case, party)
            self._apply(link, company, case, decision, party, connected.get(link.realm_id))

    def _fix_currency(self, link: Link, case: judging.RecordCase) -> Link | None:
        """Fix the currency of a customer or job at its first judgement; a second link for the same thing goes (None)."""
        if link.kind is Kind.INVOICE or link.currency:
            return link
        currency = judging.currency_of(case)
        key = (link.realm_id, link.kind.value, link.kompass_id, link.party_id, currency)
        twin = links.find_party(self._db, [key]).get(key)
        if twin is None:
            self._db.execute(
                text("UPDATE qbo_link SET currency = :currency WHERE id = :id"), {"currency": currency, "id": link.id}
            )
            return replace(link, currency=currency)
        self._db.execute(
            text(
                "UPDATE qbo_link SET depends_on = :twin, due_at = now(), again = true WHERE id IN"
                " (SELECT id FROM qbo_link WHERE depends_on = :id FOR NO KEY UPDATE SKIP LOCKED)"
            ),
            {"twin": twin.id, "id": link.id},
        )
        self._db.execute(text("DELETE FROM qbo_link WHERE id = :id"), {"id": link.id})
        return None

    def _apply(
        self,
        link: Link,
        company: Company,
        case: judging.RecordCase,
        decision: Any,
        party: Link | None,
        connection: CompanyConnection | None,
    ) -> None:
        sequence, version = case.sequence, company.configuration.version
        match decision:
            case Nothing():
                self._settled(link, decision, sequence=sequence, version=version)
            case Skip(cause, reason):
                self._put(link, "skipped", cause, reason, sequence=sequence, version=version)
                self._well.add(link.id)
            case Withdraw(cause, reason):
                self._put(link, "withdrawn", cause, reason, sequence=sequence, version=version)
                self._well.add(link.id)
            case Wait(cause, reason, on):
                self._put(
                    link, "waiting", cause, reason, sequence=sequence, version=version,
                    depends_on=party.id if on is not None and party is not None else None,
                )  # fmt: skip
            case Reject(problems):
                self._reject(link, case, problems, sequence=sequence, version=version)
            case Read() | Write():
                if connection is None or not connection.connected:
                    self._disconnected(link, connection, sequence=sequence, version=version)
                elif not token_ready(connection) or self._stale_facts(company):
                    self._unready(link)
                else:
                    self._wanted.setdefault(link.realm_id, []).append(
                        _New(link, decision, sequence, version, connection)
                    )

    def _disconnected(
        self,
        link: Link,
        connection: CompanyConnection | None,
        *,
        sequence: int | None = None,
        version: int | None = None,
    ) -> None:
        """Put a link to wait until its company is authorised again, which raises the version and so makes it due."""
        said = connection.disconnect_message if connection is not None else ""
        reason = said or "the connection to QuickBooks has ended"
        self._put(link, "waiting", "disconnected", reason, sequence=sequence, version=version)

    def _stale_facts(self, company: Company) -> bool:
        age = company.facts_age(datetime.now(UTC))
        return age is None or age > self._policy.facts_age

    def _settled(self, link: Link, decision: Nothing, *, sequence: int, version: int) -> None:
        changes: dict[str, Any] = {}
        if decision.adopt is not None:
            changes = {"sent": decision.adopt, "theirs": None, "sent_sequence": sequence, "settled_at": self._now}
            name = decision.adopt.get("DisplayName", decision.adopt.get("DocNumber"))
            if link.theirs is not None:
                name = link.theirs.get("DisplayName", link.theirs.get("DocNumber", name))
            changes["name"] = str(name or link.name)
        if decision.voided:
            changes |= {"voided": True, "theirs": None}
        self._put(
            link, "settled", decision.cause, decision.reason, sequence=sequence, version=version, attempts=0, first_failed_at=None,
            refresh_names=False, overwrite=False, **changes,
        )  # fmt: skip
        self._well.add(link.id)
        if link.state != "settled":
            self._wake.add(link.id)

    def _reject(
        self, link: Link, case: judging.RecordCase, problems: Sequence[Problem], *, sequence: int, version: int
    ) -> None:
        first = problems[0]
        self._put(link, "rejected", first.cause, first.message, sequence=sequence, version=version)
        failures.record_failure(
            self._db,
            Failure(
                stage="map",
                cause=first.cause,
                message=first.message,
                remedy=first.remedy,
                field=first.field,
                value=first.value,
                source=records.read_source(self._db, (link.org_id, link.kind.value, link.kompass_id)),
                org_id=link.org_id,
                realm_id=link.realm_id,
                link_id=link.id,
                kind=link.kind.value,
                kompass_id=link.kompass_id,
                reference=link.reference,
                sequence=sequence,
                detail={
                    "problems": [
                        {"cause": one.cause, "message": one.message, "field": one.field, "value": one.value, "remedy": one.remedy}
                        for one in problems
                    ]
                },
            ),
        )  # fmt: skip
        self._wake.add(link.id)

    # Call

    def _grant(self) -> None:
        """Take the calls out of the companies' quotas; what gets none stays due, untouched."""
        leases = quota.lock_leases(self._db, self._wanted.keys())
        flying = intents.in_flight(self._db, self._wanted.keys(), lease=self._policy.lease) if self._wanted else {}
        self._granted_at = self._clock()
        for realm_id, wanted in self._wanted.items():
            lease = leases[realm_id]
            if lease.blocked_for > 0:
                self._result.blocked[realm_id] = lease.blocked_for
                continue
            allowed = min(len(wanted), self._allowed.get(realm_id, len(wanted)))
            granted, window, next_free = grant(
                Window.from_json(lease.window),
                lease.now,
                allowed,
                in_flight=flying.get(realm_id, 0),
                limits=self._policy.limits,
            )
            if granted:
                quota.save_window(self._db, realm_id, window.to_json())
            if granted < len(wanted):
                self._result.blocked[realm_id] = max(next_free - lease.now, 0.02)
            for one in wanted[:granted]:
                if isinstance(one, _Resend):
                    self._take_over(one)
                else:
                    self._intend(one)

    def _intend(self, new: _New) -> None:
        link, decision, sequence, version, connection = (
            new.link,
            new.decision,
            new.sequence,
            new.version,
            new.connection,
        )
        epoch = link.epoch + 1
        write = decision if isinstance(decision, Write) else None
        sent = None
        if write is not None:
            sent = {**write.sent, judging.VOIDED: True} if write.voided else dict(write.sent)
        work = Work(
            link=replace(link, epoch=epoch),
            epoch=epoch,
            phase="send",
            operation=write.operation if write is not None else "read",
            entity=decision.entity,
            object_id=decision.object_id,
            body=json.dumps(write.body) if write is not None else "",
            request_id=uuid.uuid4().hex,
            sent=sent,
            name=(write.name or "") if write is not None else "",
            sequence=sequence,
            configuration_version=version,
            attempt=1,
            first_sent_at=None,
            claimed_at=self._started,
            granted_at=self._granted_at,
            voided=write is not None and write.voided,
            connection_version=connection.version,
        )
        self._intents.append(
            {
                "link_id": link.id,
                "realm_id": link.realm_id,
                "epoch": epoch,
                "phase": "send",
                "operation": work.operation,
                "entity": work.entity,
                "object_id": work.object_id,
                "body": work.body,
                "request_id": work.request_id,
                "sent": sent,
                "name": work.name,
                "sequence": sequence,
                "configuration_version": version,
                "attempt": 1,
                "owner": self._policy.owner,
                "heartbeat_at": self._now,
                "first_sent_at": self._now,
                "resend_after": self._now + timedelta(seconds=self._policy.server_timeout),
            }
        )
        self._change(
            link, epoch=epoch, again=False, depends_on=None, judged_sequence=sequence, judged_version=version,
            # Should this process die, the link becomes due by itself once the call is certainly over.
            due_at=self._now + timedelta(seconds=self._horizon()),
        )  # fmt: skip
        self._result.work.append(work)

    def _horizon(self) -> float:
        return max(self._policy.lease, self._policy.server_timeout)

    # Write

    def _unready(self, link: Link) -> None:
        self._result.unready[link.realm_id] = link.org_id

    def _change(self, link: Link, **changes: Any) -> None:
        self._changes.append({"id": link.id, **changes})

    def _put(
        self,
        link: Link,
        state: str,
        cause: str,
        reason: str,
        *,
        sequence: int | None,
        version: int | None,
        **changes: Any,
    ) -> None:
        """Write a judgement that needs no call."""
        judged = {} if sequence is None else {"judged_sequence": sequence, "judged_version": version}
        self._change(
            link,
            **{
                "state": state, "cause": cause, "reason": reason, "depends_on": None, "due_at": None, "due_since": None,
                "again": False, **judged, **changes,
            },
        )  # fmt: skip
        self._result.judged.append((link.kind, state, cause))
        if (state, cause) != (link.state, link.cause):
            self._history.append(
                history.Entry(
                    org_id=link.org_id,
                    realm_id=link.realm_id,
                    kind=link.kind.value,
                    kompass_id=link.kompass_id,
                    link_id=link.id,
                    what="judged",
                    outcome=state,
                    message=reason,
                    detail={"cause": cause, "sequence": sequence},
                )
            )

    def _write(self) -> None:
        intents.write(self._db, self._intents)
        links.write(self._db, self._changes)
        history.append(self._db, self._history)
        failures.close_for_links(self._db, self._well, "settled")
        if links.wake_dependents(self._db, self._wake):
            self._result.woken = True
            links.notify(self._db)
        if self._intents:
            reached("claiming")
