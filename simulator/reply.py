"""What an endpoint answers, before it goes on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"
XML = "application/xml;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send. `body` None cuts the connection instead. `codes` are the fault codes, for the log."""

    status: int
    body: bytes | None
    content_type: str = JSON
    headers: dict[str, str] | None = None
    codes: tuple[str, ...] = ()


def json_reply(status: int, body: Any, *, headers: dict[str, str] | None = None, codes: tuple[str, ...] = ()) -> Reply:
    return Reply(status, orjson.dumps(body), headers=headers, codes=codes)
