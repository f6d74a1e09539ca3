"""What an answer leaves unsaid is read once: whose a taken name is, what is inactive, whether our own object is gone or moved.

Each read is metered, so what it said is kept for an hour, for every caller. Without an answer the refusal stays as it came.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from mapping.texts import folded
from qbo_client import calls
from qbo_client.faults import FaultCode, colliding_id
from qbo_client.outcomes import Done, Refused
from qbo_client.queries import ACTIVE_OR_NOT, compare, equals, select
from store.references import DEFAULTS, of_payload
from store.sql import loads
from sync.attempt import Attempt
from sync.looking_up import Ask, Elsewhere, look_elsewhere, not_among_its_customers

log = logging.getLogger(__name__)

KEPT_S = 3600.0
_NAMES = ("Customer", "Vendor", "Employee")
_ENTITIES = {"item": "Item", "class": "Class"}
_GONE = frozenset({FaultCode.OBJECT_NOT_FOUND})
_BY_REFERENCE = frozenset({FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID})
# A payment that applies a credit note, and the documents on it, are named up to so many.
_PAYMENTS = 3
_NAMESAKES = 20
"""Names that differ from the one looked for by what is between its words."""


@dataclass(frozen=True, slots=True)
class Known:
    """An object of the company, as a read by Id gave it."""

    entity: str
    id: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What was read for the sake of one answer."""

    holder: Known | None = None
    """Who has the name that is taken."""
    gone: bool = False
    """The very object that was to be written is no longer there."""
    names: Mapping[str, Known] = field(default_factory=dict)
    """What the payload refers to by an Id that nobody here has a name for."""
    applied_to: tuple[str, ...] = ()
    """Ids of the invoices that a credit note is applied to."""
    elsewhere: Elsewhere | None = None
    """Of a lost document that is not among its customer's, or whose look-up was refused: what the rest of the company has."""
    itself: Mapping[str, object] | None = field(default=None, repr=False)
    """The object of a lost update whose look-up was refused, as another question gave it."""
    unchanged: bool = False
    """Nobody wrote to the object, although QuickBooks says so of our write (5010): its period is closed."""


class Explainer:
    """Shared by the workers of a process."""

    def __init__(self, engine: Engine, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], tuple[float, Known | None]] = {}

    def learn(self, attempt: Attempt, outcome: object) -> Learned | None:
        """Read what the answer to a call leaves unsaid; None when there is nothing to ask, or no answer.

        Raises nothing: the answer itself has to be written back, in any case.
        """
        try:
            return self._learn(attempt, outcome)
        except Exception:
            # Only the words of a refusal are the poorer, and a look-up is made again.
            log.exception("reading beside %s %s", attempt.link.kind.value, attempt.link.kompass_id)
            return None

    def _learn(self, attempt: Attempt, outcome: object) -> Learned | None:
        if isinstance(outcome, Refused):
            return self._ask_another_way(attempt) if attempt.phase == "lookup" else self._of_refusal(attempt, outcome)
        if isinstance(outcome, Done) and attempt.phase == "lookup" and not_among_its_customers(attempt, outcome):
            found = look_elsewhere(attempt, self._ask)
            return Learned(elsewhere=found) if found is not None else None
        if isinstance(outcome, Done) and attempt.entity == "CreditMemo" and attempt.operation == "read":
            applied = tuple(self._applied_to(attempt, outcome.entity("CreditMemo")))
            return Learned(applied_to=applied) if applied else None
        return None

    def _ask_another_way(self, attempt: Attempt) -> Learned | None:
        """Look up a lost call by another question than the one that was refused, which is no answer."""
        if attempt.operation == "create":
            elsewhere = look_elsewhere(attempt, self._ask)
            return None if elsewhere is None else Learned(elsewhere=elsewhere)
        outcome = self._ask(attempt, attempt.itself())
        if not isinstance(outcome, Done):
            return None
        found = next(iter(outcome.rows(attempt.entity)), None)
        return Learned(gone=True) if found is None else Learned(itself=found)

    def _of_refusal(self, attempt: Attempt, refused: Refused) -> Learned | None:
        if FaultCode.STALE_OBJECT in refused.codes and attempt.link.attempts and attempt.object_id is not None:
            # It was read and compared before this write, and is stale again. A closed period is reported so, too (python-quickbooks 208).
            outcome = self._ask(attempt, calls.read(attempt.entity, attempt.object_id))
            token = str(outcome.entity(attempt.entity).get("SyncToken")) if isinstance(outcome, Done) else None
            return Learned(unchanged=True) if token == str(loads(attempt.body).get("SyncToken")) else None
        name = refused.fault(FaultCode.DUPLICATE_NAME)
        if name is not None:
            holder = self._holder(attempt, colliding_id(name))
            return Learned(holder=holder) if holder is not None else None
        if not refused.codes & _BY_REFERENCE:
            return None
        if refused.codes & _GONE and attempt.operation in ("update", "void") and attempt.object_id is not None:
            outcome = self._ask(attempt, calls.read(attempt.entity, attempt.object_id))
            if isinstance(outcome, Refused) and outcome.codes & _GONE:
                return Learned(gone=True)
            if isinstance(outcome, Done) and outcome.entity(attempt.entity).get("Active") is False:
                return Learned(gone=True)
        with self._engine.begin() as db:
            used = of_payload(db, attempt.link, attempt.body)
        unnamed = [one for one in used if one.what in _ENTITIES and one.name in (*DEFAULTS, one.id)][:2]
        names = {
            one.id: known for one in unnamed if (known := self._read(attempt, _ENTITIES[one.what], one.id)) is not None
        }
        return Learned(names=names) if names else None

    def _holder(self, attempt: Attempt, other: str | None) -> Known | None:
        """Whose a taken name is: QuickBooks gives an Id, though not of what, or nothing."""
        wanted = str(loads(attempt.body).get("DisplayName", "")) if other is None else other
        look = self._find if other is None else self._read
        return next((found for entity in _NAMES if (found := look(attempt, entity, wanted)) is not None), None)

    def _applied_to(self, attempt: Attempt, credit_note: Mapping[str, object]) -> Iterator[str]:
        links = credit_note.get("LinkedTxn")
        payments = [one for one in links if isinstance(one, Mapping)] if isinstance(links, list) else []
        for one in payments[:_PAYMENTS]:
            if one.get("TxnType") != "Payment":
                continue
            outcome = self._ask(attempt, calls.read("Payment", str(one.get("TxnId"))))
            lines = outcome.entity("Payment").get("Line") if isinstance(outcome, Done) else None
            for line in lines if isinstance(lines, list) else ():
                for other in line.get("LinkedTxn", ()):
                    if other.get("TxnType") == "Invoice":
                        yield str(other.get("TxnId"))

    def _read(self, attempt: Attempt, entity: str, object_id: str) -> Known | None:
        def reading() -> tuple[bool, Known | None]:
            outcome = self._ask(attempt, calls.read(entity, object_id))
            if isinstance(outcome, Done):
                return True, _known(entity, outcome.entity(entity))
            return isinstance(outcome, Refused) and bool(outcome.codes & _GONE), None

        return self._once((attempt.link.realm_id, entity, object_id), reading)

    def _find(self, attempt: Attempt, entity: str, name: str) -> Known | None:
        def finding() -> tuple[bool, Known | None]:
            # QuickBooks compares names without counting inner spaces, and a query counts them.
            spaced = compare("DisplayName", "LIKE", "%".join(name.split())) if " " in name.strip() else None
            for condition in filter(None, (equals("DisplayName", name), spaced)):
                outcome = self._ask(attempt, calls.query(select(entity, condition, ACTIVE_OR_NOT, at_most=_NAMESAKES)))
                if not isinstance(outcome, Done):
                    return False, None
                rows = [one for one in outcome.rows(entity) if folded(str(one.get("DisplayName", ""))) == folded(name)]
                if rows:
                    return True, _known(entity, rows[0])
            return True, None

        return self._once((attempt.link.realm_id, f"{entity} named", name), finding)

    def _once(self, key: tuple[str, str, str], ask: Callable[[], tuple[bool, Known | None]]) -> Known | None:
        """Ask, unless it was asked lately; ``ask`` says whether there was an answer, and what."""
        now = self._clock()
        with self._lock:
            self._kept = {one: kept for one, kept in self._kept.items() if kept[0] > now}
            if key in self._kept:
                return self._kept[key][1]
        answered, known = ask()
        if answered:
            with self._lock:
                self._kept[key] = (now + KEPT_S, known)
        return known


def _known(entity: str, found: Mapping[str, object]) -> Known:
    object_id = str(found.get("Id", ""))
    name = found.get("DisplayName") or found.get("FullyQualifiedName") or found.get("Name") or object_id
    return Known(entity, object_id, str(name), found.get("Active") is not False)
