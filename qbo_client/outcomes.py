"""What became of a call, as one of seven types, each of which says what the caller may conclude.

| outcome | did Intuit do it? |
|---|---|
| `Done` | yes |
| `Refused` | `qbo_client.verdicts` says whether that is a proof: the faults say why |
| `Throttled` | no: too many calls, or the company is busy for a while |
| `Unauthorized` | no: the access token is not taken |
| `Forbidden` | no: the connection to this company is dead until a person acts |
| `NotSent` | no: nothing left this machine |
| `Unknown` | perhaps: find out before doing it again under another request id |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from qbo_client.calls import Call, Operation
from qbo_client.errors import QboClientError
from qbo_client.faults import Fault, FaultCode, FaultReport, report_in

# Intuit's page on limits and throttles: after a 429 wait a minute. Retry-After is not promised.
THROTTLE_PAUSE: Final = 60.0


class EnvelopeMismatch(QboClientError, KeyError):
    """An answer was asked for a member that its call does not give: a mistake of the caller."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Done:
    """Intuit did it. `body` is the decoded answer with numbers as `Decimal` or int; `duration` in seconds."""

    body: dict[str, object]
    intuit_tid: str | None = None
    duration: float = 0.0

    @property
    def answered_at(self) -> datetime | None:
        """Intuit's clock when it answered; None when the answer does not say."""
        try:
            moment = datetime.fromisoformat(str(self.body.get("time", "")))
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else None

    def entity(self, name: str) -> dict[str, object]:
        """The object of that name in the answer to a create, update, void, delete or read."""
        found = self.body.get(name)
        if not isinstance(found, dict):
            raise EnvelopeMismatch(f"the answer holds no {name}, only {', '.join(sorted(self.body)) or 'nothing'}")
        return found

    def rows(self, name: str) -> list[dict[str, object]]:
        """The objects of that name in the answer to a query. Intuit leaves the member out when there are none."""
        response = self._query_response()
        rows = response.get(name, [])
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def count(self) -> int:
        """The answer to a `select count(*)`."""
        total = self._query_response().get("totalCount")
        if not isinstance(total, int):
            raise EnvelopeMismatch("the answer holds no totalCount")
        return total

    def _query_response(self) -> dict[str, object]:
        response = self.body.get("QueryResponse")
        if not isinstance(response, dict):
            raise EnvelopeMismatch("the answer is not that of a query")
        return response


class _WithFaults:
    """What all outcomes with faults can be asked."""

    __slots__ = ()
    faults: tuple[Fault, ...]

    @property
    def codes(self) -> frozenset[str]:
        """The distinct fault codes."""
        return frozenset(fault.code for fault in self.faults)

    def fault(self, code: str) -> Fault | None:
        """The first fault with that code."""
        return next((fault for fault in self.faults if fault.code == code), None)


@dataclass(frozen=True, slots=True)
class Refused(_WithFaults):
    """Intuit says no. `faults` is empty when it gave a 4xx without saying why; `qbo_client.verdicts` says what that proves."""

    status: int
    faults: tuple[Fault, ...]
    intuit_tid: str | None = None
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Throttled(_WithFaults):
    """Definitive: not done. The company is to be left alone for `retry_after` seconds."""

    retry_after: float
    intuit_tid: str | None = None
    faults: tuple[Fault, ...] = ()
    status: int = 429
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Unauthorized(_WithFaults):
    """Definitive: not done. The access token has expired or was never good: refresh it."""

    faults: tuple[Fault, ...] = ()
    intuit_tid: str | None = None
    status: int = 401
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Forbidden(_WithFaults):
    """Definitive: not done, nor will any other call to this company be, until a person acts."""

    faults: tuple[Fault, ...]
    intuit_tid: str | None = None
    status: int = 403
    duration: float = 0.0

    @property
    def subscription_ended(self) -> bool:
        """Whether a payment to Intuit resolves it (6190), as opposed to connecting the company again."""
        return FaultCode.SUBSCRIPTION_ENDED in self.codes


@dataclass(frozen=True, slots=True)
class NotSent:
    """Definitive: not one byte of the request left. `reason` is for people and holds no secret."""

    reason: str
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Unknown(_WithFaults):
    """It may have been done, or may still be: keep the request id. `reason` is for people and holds no secret."""

    reason: str
    status: int | None = None
    intuit_tid: str | None = None
    faults: tuple[Fault, ...] = ()
    duration: float = 0.0


Outcome = Done | Refused | Throttled | Unauthorized | Forbidden | NotSent | Unknown

# 150: the company is being moved or repaired by Intuit; 130: it was just moved. Both end without action.
_BUSY: Final = frozenset({FaultCode.THROTTLE_EXCEEDED, FaultCode.COMPANY_UNDER_MAINTENANCE, FaultCode.WRONG_CLUSTER})
# 600: the request id is in use, by the very call that we repeat. 10000: Intuit does not know either.
_UNCLEAR: Final = frozenset({FaultCode.DUPLICATE_REQUEST_ID, FaultCode.SYSTEM_FAILURE})
_TOKEN: Final = frozenset({FaultCode.AUTHENTICATION, FaultCode.OAUTH, FaultCode.TOKEN_REFUSED, FaultCode.TOKEN_INVALID})
_DEAD: Final = frozenset(
    {
        FaultCode.AUTHORIZATION_FAILURE,
        FaultCode.COMPANY_LOCKED_OUT,
        FaultCode.APPLICATION_NOT_AUTHORIZED,
        FaultCode.SUBSCRIPTION_ENDED,
    }
)


def of_faults(
    report: FaultReport | None,
    *,
    status: int,
    retry_after: float | None = None,
    intuit_tid: str | None = None,
    duration: float = 0.0,
) -> Outcome:
    """What an answer means that is not a success: by its fault codes first, then by its HTTP status.

    `status` may be 200: a fault counts all the same. `report` is None for an answer without a readable fault.
    """
    faults = report.faults if report else ()
    codes = report.codes if report else frozenset()
    if status == 429 or codes & _BUSY:
        pause = THROTTLE_PAUSE if retry_after is None else retry_after
        return Throttled(pause, intuit_tid=intuit_tid, faults=faults, status=status, duration=duration)
    if status >= 500 or codes & _UNCLEAR:
        reason = f"Intuit answered {status}" + (f" with fault {', '.join(sorted(codes))}" if codes else "")
        return Unknown(reason, status=status, intuit_tid=intuit_tid, faults=faults, duration=duration)
    if codes & _DEAD:
        return Forbidden(faults, intuit_tid=intuit_tid, status=status, duration=duration)
    if status == 401 or codes & _TOKEN:
        return Unauthorized(faults, intuit_tid=intuit_tid, status=status, duration=duration)
    if status == 403 and report is not None:
        return Forbidden(faults, intuit_tid=intuit_tid, status=status, duration=duration)
    if report is None and (status in _NOT_INTUITS_WORD or not 400 <= status < 500):
        return Unknown(
            f"an answer with status {status} and no fault that can be read",
            status=status,
            intuit_tid=intuit_tid,
            duration=duration,
        )
    return Refused(status, faults, intuit_tid=intuit_tid, duration=duration)


# A 403 in HTML comes from some firewall on the way, and it must not disconnect a company; a 408 or 425 without a fault
# does not say whether somebody behind it goes on.
_NOT_INTUITS_WORD: Final = frozenset({403, 408, 425})


def status_of(outcome: Outcome) -> str:
    """The HTTP status as logs and metrics name it: ``timeout`` when no answer came, ``network`` when nothing was sent."""
    if isinstance(outcome, Done):
        return "200"
    if isinstance(outcome, NotSent):
        return "network"
    if isinstance(outcome, Unknown) and outcome.status is None:
        return "timeout"
    return str(outcome.status)


def words_of(outcome: Outcome) -> str:
    """Why a call was not done, for people: the reason, or each fault with its code; empty where nothing was said."""
    faults = getattr(outcome, "faults", ())
    return getattr(outcome, "reason", "") or ", ".join(f"{one.code} {one.detail or one.message}" for one in faults)


def of_success(call: Call, body: object, *, status: int, intuit_tid: str | None, duration: float) -> Outcome:
    """What a decoded 2xx answer means: it may hold a fault, and it must hold what the call asks for."""
    if not isinstance(body, dict):
        return Unknown("the answer is not a JSON object", status=status, intuit_tid=intuit_tid, duration=duration)
    report = report_in(body)
    if report is not None:
        return of_faults(report, status=status, intuit_tid=intuit_tid, duration=duration)
    if not _holds_what_was_asked(call, body):
        reason = f"the answer to {call.operation.value} {call.entity} lacks what it must hold".replace("  ", " ")
        return Unknown(reason, status=status, intuit_tid=intuit_tid, duration=duration)
    return Done(body, intuit_tid=intuit_tid, duration=duration)


def _holds_what_was_asked(call: Call, body: Mapping[str, object]) -> bool:
    if call.operation is Operation.QUERY:
        return isinstance(body.get("QueryResponse"), dict)
    if call.operation is Operation.BATCH:
        return isinstance(body.get("BatchItemResponse"), list)
    return isinstance(body.get(call.entity), dict)


def batch_outcomes(done: Done, bids: Iterable[str]) -> dict[str, Outcome]:
    """The outcome of each item of a batch, by bId, in any order of the answer.

    `bids` are those that were sent: one that the answer does not mention is `Unknown`. A `Done` of an item can be asked
    for its `entity` or `rows` like that of a single call.
    """
    items: dict[str, Mapping[str, object]] = {}
    listed = done.body.get("BatchItemResponse")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            items.setdefault(str(item.get("bId")), item)
    return {bid: _item_outcome(items.get(bid), done) for bid in bids}


def _item_outcome(item: Mapping[str, object] | None, done: Done) -> Outcome:
    if item is None:
        return Unknown("the batch's answer does not mention this item", 200, done.intuit_tid, duration=done.duration)
    report = report_in(item)
    if report is not None:
        return of_faults(report, status=200, intuit_tid=done.intuit_tid, duration=done.duration)
    body = {name: member for name, member in item.items() if name != "bId"}
    if not any(isinstance(member, dict) for member in body.values()):
        return Unknown("the batch's answer to this item is empty", 200, done.intuit_tid, duration=done.duration)
    return Done(body, intuit_tid=done.intuit_tid, duration=done.duration)
