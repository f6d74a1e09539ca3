"""Sends calls to Intuit's Accounting API and says what became of each."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from math import inf
from types import TracebackType
from typing import Final, NoReturn, Self
from urllib.parse import quote

import msgspec
import orjson

from qbo_client.calls import Call, Operation
from qbo_client.environment import IntuitEnvironment
from qbo_client.errors import BodyInvalid, CallInvalid
from qbo_client.faults import FaultReport, report_in, report_in_xml
from qbo_client.outcomes import NotSent, Outcome, Unknown, of_faults, of_success
from qbo_client.wire import MAX_IDLE_SECONDS, MAX_RESPONSE_BYTES, Answer, Wire, WireError

# Since 2025-08-01 anything lower is served as 75; sending it keeps us on it when a higher one comes.
MINOR_VERSION: Final = 75
USER_AGENT: Final = "kompass-qbo"
# A Retry-After of an hour and more would be a mistake of somebody's; the breaker and the quota pace us anyway.
_LONGEST_PAUSE: Final = 3600.0
_LONGEST_EXPONENT: Final = 100
_LONGEST_INTEGER: Final = 18
_LONG: Final = re.compile(rb"[0-9]{19}")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_REALM: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_TOKEN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_OPERATION_PARAMETER: Final = {Operation.VOID: "&operation=void", Operation.DELETE: "&operation=delete"}


class Transport:
    """The way to one Intuit environment: keep-alive, safe to share between threads, never sends anything twice."""

    def __init__(
        self,
        environment: IntuitEnvironment,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tls: ssl.SSLContext | None = None,
        max_idle_seconds: float = MAX_IDLE_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self.environment: Final = environment
        self._clock = clock
        self._now = now
        self._wire = Wire(
            environment.api_base_url,
            clock=clock,
            tls=tls,
            max_idle_seconds=max_idle_seconds,
            max_response_bytes=max_response_bytes,
        )
        self._path = environment.api_base_url.partition("://")[2].partition("/")[2]
        self._path = f"/{self._path}/v3/company/" if self._path else "/v3/company/"
        self._common_headers = (
            f"Host: {self._wire.authority}\r\nUser-Agent: {USER_AGENT}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\n"
        )

    def send(self, realm_id: str, access_token: str, call: Call, *, deadline: float, send_by: float = inf) -> Outcome:
        """Make the call and return what became of it, within `deadline` seconds in all.

        Not one byte of it leaves after `send_by` on the transport's clock, however long this process was stopped.
        Never raises for anything that Intuit or the network does. Raises `CallInvalid` or `BodyInvalid` when the call
        cannot be written down.
        """
        started = self._clock()
        method, request = self._request(realm_id, access_token, call)
        try:
            answer = self._wire.exchange(method, request, until=started + deadline, send_by=send_by)
        except WireError as error:
            duration = self._clock() - started
            if not error.sent:
                return NotSent(str(error), duration=duration)
            return Unknown(str(error), status=error.status, intuit_tid=error.intuit_tid, duration=duration)
        return self._outcome(call, answer, self._clock() - started)

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, realm_id: str, access_token: str, call: Call) -> tuple[str, bytes]:
        if not _REALM.fullmatch(realm_id):
            raise CallInvalid(f"realm {realm_id!r} is not a company's id")
        if not _TOKEN.fullmatch(access_token):
            raise CallInvalid("the access token is empty or holds a character that no header may have")
        operation = call.operation
        if operation is Operation.QUERY:
            method, path, kind, body = "POST", "query", "application/text", (call.query or "").encode()
        elif operation is Operation.READ:
            method, path, kind, body = "GET", _path_of_read(call, realm_id), "", b""
        else:
            path = "batch" if operation is Operation.BATCH else call.entity.lower()
            method, kind, body = "POST", "application/json", encode(call.body or {})
        target = f"{self._path}{realm_id}/{path}?minorversion={MINOR_VERSION}{_OPERATION_PARAMETER.get(operation, '')}"
        target += "".join(f"&{name}={quote(value, safe='')}" for name, value in call.parameters)
        if call.request_id is not None:
            target += f"&requestid={quote(call.request_id, safe='')}"
        content = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if kind else ""
        head = (
            f"{method} {target} HTTP/1.1\r\n{self._common_headers}Authorization: Bearer {access_token}\r\n{content}\r\n"
        )
        return method, head.encode("ascii") + body

    def _outcome(self, call: Call, answer: Answer, duration: float) -> Outcome:
        tid = answer.header("intuit_tid")
        status = answer.status
        if status == 200:
            try:
                body = decode(answer.body)
            except ValueError:
                return Unknown("the answer is not JSON", status=status, intuit_tid=tid, duration=duration)
            return of_success(call, body, status=status, intuit_tid=tid, duration=duration)
        return of_faults(
            report_of(answer.body),
            status=status,
            retry_after=self._pause(answer.header("Retry-After")),
            intuit_tid=tid,
            duration=duration,
        )

    def _pause(self, retry_after: str | None) -> float | None:
        """Seconds to wait by a Retry-After header, which is a number of seconds or a date."""
        if retry_after is None:
            return None
        try:
            seconds = float(retry_after)
        except ValueError:
            try:
                moment = parsedate_to_datetime(retry_after)
            except ValueError:
                return None
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - self._now()).total_seconds()
        if seconds != seconds:  # a header that says "nan"
            return None
        return min(max(seconds, 1.0), _LONGEST_PAUSE)


def _path_of_read(call: Call, realm_id: str) -> str:
    if call.entity == "CompanyInfo":
        return f"companyinfo/{realm_id}"
    if call.object_id is None:
        return call.entity.lower()
    return f"{call.entity.lower()}/{quote(call.object_id, safe='')}"


def encode(body: Mapping[str, object]) -> bytes:
    """`body` as JSON in UTF-8. A `Decimal` becomes a plain number, digit for digit: `Decimal("1200.00")` → `1200.00`.

    Raises `BodyInvalid` for what JSON has no form for.
    """
    try:
        return orjson.dumps(body, default=_plain)
    except (orjson.JSONEncodeError, BodyInvalid) as error:
        cause = error.__cause__ if isinstance(error.__cause__, BodyInvalid) else error
        raise BodyInvalid(f"the body cannot be written as JSON: {cause}") from error


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise BodyInvalid(f"{value} is not a number that JSON has")
        return orjson.Fragment(format(value, "f").encode())
    if isinstance(value, Mapping):
        return dict(value)
    raise BodyInvalid(f"a {type(value).__name__}")


def decode(text: bytes) -> object:
    """JSON with its fractions as `Decimal`, so that no cent passes through a float. Raises `ValueError`.

    What no database keeps (NUL, half a surrogate pair) becomes U+FFFD: an answer is worth having all the same.
    """
    if b"\\u" not in text and _LONG.search(text) is None:
        # Nearly all answers, in a third of the time. What is wrong with one is found out below.
        with suppress(ValueError, RecursionError):
            return _PLAIN_DECODER.decode(text)
    words = text.decode("utf-8-sig", errors="replace")
    try:
        value = json.loads(words, parse_int=_whole, parse_float=_fraction, parse_constant=_no_constant)
        # Neither can be written but as an escape.
        return _storable(value) if "\\u" in words else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _storable(value: object) -> object:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", name): _storable(member) for name, member in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list) else value


def _whole(digits: str) -> int | Decimal:
    # What does not fit 64 bits (and then some) is written as a Decimal is, digit for digit.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else _fraction(digits)


def _fraction(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise ValueError(f"{digits[:40]} is beyond any number") from None
    if abs(number.adjusted()) > _LONGEST_EXPONENT:
        # Written out again, 1e999999999 would be a gigabyte of zeros.
        raise ValueError(f"{digits[:40]} is no amount")
    return number


_PLAIN_DECODER: Final = msgspec.json.Decoder(float_hook=_fraction)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def report_of(body: bytes) -> FaultReport | None:
    """The faults of an answer's body, be it JSON or XML; None for anything else, such as HTML."""
    try:
        decoded = decode(body)
    except ValueError:
        return report_in_xml(body.decode("utf-8", errors="replace"))
    return report_in(decoded) if isinstance(decoded, Mapping) else None
