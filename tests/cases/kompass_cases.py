"""Events of Kompass with the result they must have: ``kompass/NAME.jsonl`` and, with its arithmetic, ``NAME.right.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.events import Event
from schemas.jsonlines import read_json_lines

_CASES = Path(__file__).parent / "kompass"


def events_of(name: str) -> list[Event]:
    with (_CASES / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [event for _, event in read_json_lines(lines)]


def right(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_CASES / f"{name}.right.json").read_text("utf-8"))
    return found
