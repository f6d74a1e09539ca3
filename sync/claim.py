"""Claim: in one short transaction, decide about due links and write an attempt for each call to be made.

Outcomes for a link: a new attempt, an old one taken over (recover), busy (somebody works on it), or nothing to call for. No HTTP happens
here, and the mapping is CPU alone, so the transaction lasts milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from mapping import rates as mapping_rates
from mapping.conflicts import over_customer
from mapping.decisions import Decision, Fail, Nothing, Read, Skip, Wait, Withdraw, Write, not_enabled
from mapping.results import Problem
from qbo_client.calls import WRITES
from schemas.events import Kind
from schemas.link_state import LinkState
from store import attempts, companies, connections, exchange_rates, failures, history, links
from store.attempts import OpenAttempt
from store.connections import CompanyConnection
from store.links import Link
from sync.agreed import agreed
from sync.attempt import Attempt
from sync.batches import Batch, gather_members, put_together
from sync.budget import NO_BUDGET, REASON, next_month
from sync.case_loader import Decidable, RecordCase, find_parties, fix_currencies, read_cases, with_rates
from sync.companies import Company, CompanyCache, asks_company_first, token_ready, unless_connected
from sync.crash_points import reached
from sync.decide import decide
from sync.differences import Differences
from sync.failing import failed_in_mapping
from sync.inventory import was_held_up
from sync.link import Change, decided, dropped, later, sent, wake_dependents, wake_unneeded, write
from sync.permits import permit_calls
from sync.policy import Policy
from sync.reattachment import InDoubt, Reattached, has_nothing_there, reattach

# A link that depends on one that is busy right now: look again when that one has had time to settle.
BUSY_AGAIN_S = 0.05
# A name that waits for another of its company to be written, which takes 0.1 to 3 s: it is out of the way of what can go meanwhile.
NAMES_AGAIN_S = 0.2
# What a link keeps of an object that is no longer there.
_NOTHING_THERE: dict[str, Any] = {
    "qbo_id": None, "sync_token": None, "applied": None, "line_ids": [], "observed": None, "by_hand": [], "kept": [],
    "voided": False,
}  # fmt: skip

_At = tuple[int, int]
"""The record's sequence and the Configuration's version that a decision rests on."""


@dataclass(slots=True)
class Claimed:
    """What a claim found."""

    batches: list[Batch] = field(default_factory=list)
    """The calls to be made now."""
    unready: dict[str, str] = field(default_factory=dict)
    """Realm → Org: a token has to be refreshed or facts fetched before anything can be called there."""
    refused_by_facts: set[str] = field(default_factory=set)
    """Those of them where a refusal rests on facts that are not quite fresh."""
    held_up: set[str] = field(default_factory=set)
    """Those where something goes that was held up, and may have been typed in by hand since the company was read."""
    blocked: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Realm → its Org, and the seconds until its quota allows the next call."""
    decided: list[tuple[Kind, str, str, str]] = field(default_factory=list)
    """(kind, outcome, cause, Org) of links that needed no call."""
    woken: bool = False
    """A link of ours became due by what was decided here."""

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for batch in self.batches for attempt in batch.attempts]


class Claim:
    """Claims of one process. Not shared between threads: one dispatcher claims at a time."""

    def __init__(self, policy: Policy, cache: CompanyCache, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.cache = cache
        self.clock = clock
        self.facts_age = policy.facts_age
        self.over_after = timedelta(seconds=policy.over_after)

    def __call__(
        self, db: Connection, ids: Sequence[int], *, calls_allowed: Mapping[str, int], together: int = 1
    ) -> Claimed:
        """Decide about these links; at most ``calls_allowed[realm]`` calls come out for a company (no limit where it is absent).

        ``together``: so many operations of a company may go in one batch.
        """
        return _Transaction(self, db, calls_allowed, together).run(ids)


class _Transaction:
    """One claim. Reads everything it needs in a handful of queries, decides, and writes in as few."""

    def __init__(self, claim: Claim, db: Connection, allowed: Mapping[str, int], together: int) -> None:
        self._policy = claim.policy
        self._cache = claim.cache
        self._facts_age = claim.facts_age
        self._over_after = claim.over_after
        self._started = claim.clock()
        self._db = db
        self._allowed = allowed
        self._together = together
        self._result = Claimed()
        self._changes: list[Change] = []
        self._rows: list[dict[str, Any]] = []
        self._history: list[history.Entry] = []
        self._well: set[int] = set()
        self._wake: set[int] = set()
        self._wanted: dict[str, list[Attempt]] = {}
        self._differences = Differences()
        self._now = datetime.now(UTC)
        self._connected: Mapping[str, CompanyConnection] = {}
        self._ended: Mapping[str, Wait] = {}
        """What the links of companies that are not authorised wait for."""
        self._spent: bool | None = None
        self._left: set[int] = set()
        """What records rested on that rest on something else by now."""

    def run(self, ids: Sequence[int]) -> Claimed:
        locked = links.lock_due(self._db, ids)
        if locked is None:
            return self._result
        due, self._now = locked.links, locked.now
        opened = attempts.read_open(self._db, [link.id for link in due], lease=self._policy.attempts.lease_seconds)
        gathered = gather_members(
            self._db,
            due,
            opened,
            lease=self._policy.attempts.lease_seconds,
            resend_window=self._policy.attempts.resend_window_seconds,
        )
        due, opened = gathered.links, gathered.opened
        versions = companies.hold_versions(self._db, {link.org_id for link in due})
        realms = {link.realm_id for link in due}
        self._connected = connections.read_connections(self._db, realms)
        self._ended = {one: wait for one in realms if (wait := unless_connected(self._connected.get(one))) is not None}
        known = self._cache.get(self._db, versions.values())
        decidable: list[tuple[Link, Company]] = []
        for link in due:
            company = known.get(link.org_id)
            if company is None or company.configuration.realm_id != link.realm_id:
                # Its company is not linked any more: nothing of it may ever be sent.
                self._changes.append(dropped(link))
            elif link.id in gathered.torn:
                self._busy(link)
            elif (stored := opened.get(link.id)) is not None and not (stored.alive or company.configuration.enabled):
                self._wait(link, not_enabled(company.configuration.org_name))
            elif stored is not None:
                self._resume(link, stored)
            elif company.facts is None or (company.unknown and link.qbo_id is None):
                self._look_through(link)
            else:
                decidable.append((link, company))
        self._decide(decidable)
        self._permit()
        self._write()
        return self._result

    # Recover

    def _resume(self, link: Link, opened: OpenAttempt) -> None:
        if opened.alive:
            self._busy(link, for_s=max(opened.busy_for, 0.01))
        elif (wait := self._ended.get(link.realm_id)) is not None:
            self._wait(link, wait)
        else:
            window = self._policy.attempts.resend_window_seconds
            version = self._connected[link.realm_id].version
            attempt = Attempt.taken_over(link, opened, connection=version, resend_window=window, started=self._started)
            if attempt.asks not in WRITES and self._budget_is_spent():
                self._hold_for_budget(link)
            elif not token_ready(self._connected[link.realm_id]):
                self._unready(link)
            else:
                self._want(attempt)

    # The month's budget

    def _budget_is_spent(self) -> bool:
        """Asked for only where a metered read is wanted, which the steady state hardly ever does."""
        if self._spent is None:
            self._spent = self._policy.budget.spent(self._db)
        return self._spent

    def _hold_for_budget(self, link: Link, *, at: _At | None = None) -> None:
        self._put(
            link, LinkState.RETRYING, NO_BUDGET, REASON, at=at, due_at=next_month(self._now),
            first_failed_at=link.first_failed_at or self._now,
        )  # fmt: skip

    # Decide

    def _decide(self, decidable: Sequence[tuple[Link, Company]]) -> None:
        # As with facts, the old ones serve once the month's budget is spent.
        cases = with_rates(
            self._db, {link.id: link for link, _ in decidable}, read_cases(self._db, decidable),
            however_old=self._budget_is_spent,
        )  # fmt: skip
        known: list[Decidable] = []
        for link, company in decidable:
            if (case := cases.get(link.id)) is None:
                self._changes.append(dropped(link, "Kompass never said what it is"))
            else:
                known.append((link, company, case))
        ready = fix_currencies(self._db, known)
        parties = find_parties(self._db, [(link, case) for link, _, case in ready], lane=self._policy.lane)
        free = [(link, case, parties.found.get(link.id)) for link, _, case in ready if link.id not in parties.busy]
        found = decide(self._db, free)
        busy = parties.busy | self._moved(found.holders)
        for link, company, case in ready:
            if link.id in busy:
                self._busy(link)
                continue
            decision = found.decisions[link.id]
            if (company.stocked or company.unknown) and has_nothing_there(link, decision):
                if company.unknown:
                    self._look_through(link)
                    continue
                taken = reattach(self._db, link, case, decision)
                if isinstance(taken, Reattached):
                    self._reattach(link, taken)
                    continue
                if isinstance(taken, InDoubt):
                    at = (case.sequence, company.configuration.version)
                    self._fail(link, [taken.problem], None, at=at, observed=taken.observed)
                    continue
                decision = taken
            if link.realm_id not in self._ended and was_held_up(link, company, decision, now=self._now):
                # Nothing that was held up is made before it is known what was typed in meanwhile.
                if self._read_first(link):
                    self._result.held_up.add(link.realm_id)
                continue
            self._apply(link, company, case, decision, parties.found.get(link.id))

    def _look_through(self, link: Link) -> None:
        """Decide nothing before what the company is and has is known."""
        if (wait := self._ended.get(link.realm_id)) is not None:
            self._wait(link, wait)
        else:
            self._read_first(link)

    def _read_first(self, link: Link) -> bool:
        """Have its company read before the link is decided; False, and the link waits, once the month's budget is spent."""
        if self._budget_is_spent():
            self._hold_for_budget(link)
            return False
        self._unready(link)
        return True

    def _moved(self, holders: Mapping[int, Link]) -> set[int]:
        """Hold those still whose names others wait for; gives the others of one that somebody works on at this moment."""
        still = links.hold(self._db, {one.id for one in holders.values()}) if holders else {}
        return {link_id for link_id, one in holders.items() if still.get(one.id) != one}

    def _reattach(self, link: Link, taken: Reattached) -> None:
        """Stand for what was made before the database was restored, and decide again: Kompass may say something else by now."""
        self._changes.append(decided(link, LinkState.PENDING, cause="", reason="", due_at=self._now, **taken.changes))
        if link.qbo_id is not None:
            self._differences.over(link)
        attached = f"{taken.entity} {taken.qbo_id} was made before the database was restored"
        self._history.append(history.about(link, "recovered", "recovered", attached))
        self._well.add(link.id)
        self._wake.add(link.id)
        self._result.woken = True

    def _apply(self, link: Link, company: Company, case: RecordCase, decision: Decision, party: Link | None) -> None:
        at = (case.sequence, company.configuration.version)
        if link.depends_on is not None and (party is None or party.id != link.depends_on):
            self._left.add(link.depends_on)
        wait = self._ended.get(link.realm_id)
        asks = wait is None and asks_company_first(company, decision, now=self._now, facts_age=self._facts_age)
        if asks and not self._budget_is_spent():
            self._unready(link)
            self._result.refused_by_facts.add(link.realm_id)
            return
        match decision:
            case Nothing():
                self._settled(link, decision, at=at)
            case Skip(cause, reason):
                self._put(link, LinkState.SKIPPED, cause, reason, at=at)
                self._well.add(link.id)
            case Withdraw(cause, reason):
                # People are asked to take it out of the books: should it come back, what is there is read first.
                self._put(link, LinkState.WITHDRAWN, cause, reason, at=at, sync_token=None)
                self._well.add(link.id)
            case Wait(cause=mapping_rates.WAITING) if wait is None:
                self._want_rate(link, case)
            case Wait(cause, reason, on, holder):
                self._put(
                    link, LinkState.WAITING, cause, reason, at=at,
                    depends_on=party.id if on is not None and party is not None else holder,
                )  # fmt: skip
            case Fail(problems, holder):
                if holder is None and party is not None and (party.qbo_id is None or over_customer(problems)):
                    holder = party.id
                self._fail(link, problems, holder, at=at)
            case Read() | Write():
                if wait is not None:
                    self._wait(link, wait, at=at)
                elif isinstance(decision, Read) and self._budget_is_spent():
                    self._hold_for_budget(link, at=at)
                elif not token_ready(self._connected[link.realm_id]) or not (
                    company.has_facts(self._now, newer_than=self._facts_age) or self._budget_is_spent()
                ):
                    self._unready(link)
                else:
                    attempt = Attempt.planned(
                        link, decision, at,
                        connection=self._connected[link.realm_id].version, now=self._now, started=self._started,
                    )  # fmt: skip
                    self._want(attempt)

    def _want_rate(self, link: Link, case: RecordCase) -> None:
        """Have the rate of its day read, like facts that are not known yet."""
        key = mapping_rates.needed_rate(case.case)
        assert key is not None
        if self._read_first(link):
            exchange_rates.want_rates(self._db, link.realm_id, [key])

    def _wait(self, link: Link, wait: Wait, *, at: _At | None = None) -> None:
        """Put a link to wait for its Configuration or company, whose version is raised when that may go on: so it is due again."""
        self._put(link, LinkState.WAITING, wait.cause, wait.reason, at=at)

    def _settled(self, link: Link, decision: Nothing, *, at: _At) -> None:
        changes = agreed(link, decision, self._differences)
        if decision.adopt is not None:
            changes |= {"applied_sequence": at[0], "synced_at": self._now}
        self._put(
            link, LinkState.SYNCED, decision.cause, decision.reason, at=at, attempts=0, first_failed_at=None,
            refresh_names=False, overwrite=False, **changes,
        )  # fmt: skip
        self._well.add(link.id)

    def _fail(self, link: Link, problems: Sequence[Problem], rests_on: int | None, *, at: _At, **facts: Any) -> None:
        first = problems[0]
        self._put(link, LinkState.FAILED, first.cause, first.message, at=at, depends_on=rests_on, **facts)
        failed_in_mapping(self._db, link, problems, sequence=at[0])

    # Call

    def _permit(self) -> None:
        """Take the calls out of the companies' quotas; what gets none stays due, untouched."""
        policy = self._policy
        permitted = permit_calls(
            self._db,
            {realm_id: put_together(attempts, most=self._together) for realm_id, attempts in self._wanted.items()},
            allowed=self._allowed,
            limits=policy.limits,
            lease=policy.attempts.lease_seconds,
        )
        self._result.blocked |= {
            realm_id: (self._wanted[realm_id][0].link.org_id, seconds) for realm_id, seconds in permitted.waits.items()
        }
        for attempt in (attempt for batch in permitted.names_later for attempt in batch.attempts):
            self._busy(attempt.link, for_s=NAMES_AGAIN_S)
        self._result.batches += permitted.batches
        for attempt in self._result.attempts:
            self._start(attempt)

    def _want(self, attempt: Attempt) -> None:
        self._wanted.setdefault(attempt.link.realm_id, []).append(attempt)

    def _start(self, attempt: Attempt) -> None:
        self._rows.append(attempt.row(owner=self._policy.owner, now=self._now, over_after=self._over_after))
        # Should this process die, the link is due once its call is certainly over.
        horizon = max(self._over_after, timedelta(seconds=self._policy.attempts.lease_seconds))
        at = (attempt.sequence, attempt.configuration_version) if attempt.is_new else None
        # It is created again: in any outcome of this call, what was deleted is never written to again.
        recreated: dict[str, Any] = {}
        if attempt.operation == "create" and attempt.link.qbo_id is not None:
            recreated = _NOTHING_THERE
            self._differences.over(attempt.link)
        self._changes.append(sent(attempt.link, epoch=attempt.epoch, over_at=self._now + horizon, at=at, **recreated))

    # Write

    def _unready(self, link: Link) -> None:
        self._result.unready[link.realm_id] = link.org_id

    def _busy(self, link: Link, *, for_s: float = BUSY_AGAIN_S) -> None:
        self._changes.append(later(link, self._now + timedelta(seconds=for_s)))

    def _put(
        self,
        link: Link,
        state: LinkState,
        cause: str,
        reason: str,
        *,
        at: _At | None = None,
        **changes: Any,
    ) -> None:
        """Write a decision that needs no call."""
        self._changes.append(decided(link, state, cause=cause, reason=reason, at=at, **changes))
        self._result.decided.append((link.kind, state, cause, link.org_id))
        if link.depends_on is None or (state, cause, reason) != (link.state, link.cause, link.reason):
            # What rests on it may rest on something else by now. Links that rest on each other in a circle do not wake each other for ever.
            self._wake.add(link.id)
        if (state, cause) != (link.state, link.cause):
            detail = {"cause": cause, "sequence": at and at[0]}
            self._history.append(history.about(link, history.DECIDED, state, reason, detail=detail))

    def _write(self) -> None:
        attempts.write(self._db, self._rows)
        write(self._db, self._changes)
        self._differences.write(self._db)
        history.append(self._db, self._history)
        failures.close_for_links(self._db, self._well, "synced")
        wake_unneeded(self._db, self._left)
        if wake_dependents(self._db, self._wake):
            self._result.woken = True
            links.notify(self._db)
        if self._rows:
            reached("claiming")
