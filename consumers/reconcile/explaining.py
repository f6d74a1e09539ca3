"""What a refusal leaves unsaid is read once: whose a taken name is, what is inactive, whether our own object is gone.

A read by Id is metered, so what it said is kept for an hour, whoever asks. Without an answer the refusal is told as it came.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from consumers.reconcile.work import Work
from qbo_client import calls
from qbo_client.calls import Call
from qbo_client.faults import FaultCode, colliding_id
from qbo_client.outcomes import Done, Outcome, Refused
from store.references import DEFAULTS, of_payload

Ask = Callable[[Work, Call], Outcome | None]
"""Makes a read for a company; None when it may not be made now."""

KEPT_S = 3600.0
_NAMES = ("Customer", "Vendor", "Employee")
_ENTITIES = {"item": "Item", "class": "Class"}
_GONE = frozenset({FaultCode.OBJECT_NOT_FOUND})
_BY_REFERENCE = frozenset({FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID})
# A payment that applies a credit note, and the documents on it, are told of up to so many.
_PAYMENTS = 3


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


class Explainer:
    """Shared by the workers of a process."""

    def __init__(self, engine: Engine, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], tuple[float, Known | None]] = {}

    def learn(self, work: Work, outcome: object) -> Learned | None:
        """Read what the answer to a call leaves unsaid; None when there is nothing to ask, or no answer."""
        if isinstance(outcome, Refused):
            return self._of_refusal(work, outcome)
        if isinstance(outcome, Done) and work.entity == "CreditMemo" and work.operation == "read":
            applied = tuple(self._applied_to(work, outcome.entity("CreditMemo")))
            return Learned(applied_to=applied) if applied else None
        return None

    def _of_refusal(self, work: Work, refused: Refused) -> Learned | None:
        name = refused.fault(FaultCode.DUPLICATE_NAME)
        if name is not None and (other := colliding_id(name)) is not None:
            holder = next((found for entity in _NAMES if (found := self._read(work, entity, other)) is not None), None)
            return Learned(holder=holder) if holder is not None else None
        if not refused.codes & _BY_REFERENCE:
            return None
        if refused.codes & _GONE and work.operation in ("update", "void") and work.object_id is not None:
            outcome = self._ask(work, calls.read(work.entity, work.object_id))
            if isinstance(outcome, Refused) and outcome.codes & _GONE:
                return Learned(gone=True)
            if isinstance(outcome, Done) and outcome.entity(work.entity).get("Active") is False:
                return Learned(gone=True)
        with self._engine.begin() as db:
            used = of_payload(db, work.link, work.body)
        unnamed = [one for one in used if one.what in _ENTITIES and one.name in (*DEFAULTS, one.id)][:2]
        names = {
            one.id: known for one in unnamed if (known := self._read(work, _ENTITIES[one.what], one.id)) is not None
        }
        return Learned(names=names) if names else None

    def _applied_to(self, work: Work, credit_note: Mapping[str, object]) -> Iterator[str]:
        links = credit_note.get("LinkedTxn")
        payments = [one for one in links if isinstance(one, Mapping)] if isinstance(links, list) else []
        for one in payments[:_PAYMENTS]:
            if one.get("TxnType") != "Payment":
                continue
            outcome = self._ask(work, calls.read("Payment", str(one.get("TxnId"))))
            lines = outcome.entity("Payment").get("Line") if isinstance(outcome, Done) else None
            for line in lines if isinstance(lines, list) else ():
                for other in line.get("LinkedTxn", ()):
                    if other.get("TxnType") == "Invoice":
                        yield str(other.get("TxnId"))

    def _read(self, work: Work, entity: str, object_id: str) -> Known | None:
        key = (work.link.realm_id, entity, object_id)
        now = self._clock()
        with self._lock:
            self._known = {one: kept for one, kept in self._known.items() if kept[0] > now}
            if key in self._known:
                return self._known[key][1]
        outcome = self._ask(work, calls.read(entity, object_id))
        known = None
        if isinstance(outcome, Done):
            found = outcome.entity(entity)
            name = found.get("DisplayName") or found.get("FullyQualifiedName") or found.get("Name") or object_id
            known = Known(entity, object_id, str(name), found.get("Active") is not False)
        elif not (isinstance(outcome, Refused) and outcome.codes & _GONE):
            return None
        with self._lock:
            self._known[key] = (now + KEPT_S, known)
        return known
