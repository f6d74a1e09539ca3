"""The record of every request: who asked what, what it was answered, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import orjson

KEPT = 100_000


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. `received`, `worked` and `finished` are on the simulator's clock, `seconds` on the real one."""

    number: int
    received: float
    method: str
    path: str
    query: str = ""
    realm: str = ""
    entity: str = ""
    operation: str = ""
    requestid: str = ""
    client: str = ""
    token: str = ""
    intuit_tid: str = ""
    metering: str = ""
    replayed: bool = False
    committed: bool = False
    trouble: str = ""
    status: int = 0
    codes: tuple[str, ...] = ()
    request_body: bytes = b""
    response_body: bytes = b""
    worked: float = 0.0
    """When the answer was known, committed or refused. Its way to the client may take long, or never end."""
    finished: float = 0.0
    seconds: float = 0.0

    def as_wire(self, *, bodies: bool = True) -> dict[str, Any]:
        wire = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _BODIES}
        if bodies:
            wire["request"] = _readable(self.request_body)
            wire["response"] = _readable(self.response_body)
        return wire


_BODIES = ("request_body", "response_body")


class Journal:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=KEPT)
        self._made = 0

    def begin(self, **members: Any) -> Request:
        self._made += 1
        request = Request(number=self._made, **members)
        self._requests.append(request)
        return request

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)

    def newest(self, count: int) -> list[Request]:
        return list(self._requests)[-count:][::-1]

    def clear(self) -> None:
        self._requests.clear()


def _readable(body: bytes) -> Any:
    """JSON as JSON, anything else as text."""
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
