"""Writes docs/peers.md: others beside us, one section a program."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence

from bench import ROOT

_STORE = ROOT / "docs" / "peers.json"
_PAGE = ROOT / "docs" / "peers.md"
_HEAD = """# Beside others

Other libraries for the same work, on the same broker, against the same simulator, measured in one run with ours. They are what their
documentation shows, no more and no less; where a line of their user's would change the outcome, that is said. Made by
`python tests/benchmarks/peers_quickbooks.py` and `python tests/benchmarks/peers_arroyo.py`; a run replaces its section.
"""


def write_section(key: str, title: str, table: Sequence[Sequence[str]], notes: Sequence[str]) -> None:
    """Put a table (its first row is the head) into the page, and print it."""
    kept = json.loads(_STORE.read_text("utf-8")) if _STORE.exists() else {}
    head, *rows = [f"| {' | '.join(row)} |" for row in table]
    rule = "|" + "---|" * len(table[0])
    measured = f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC at a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    kept[key] = "\n".join([f"## {title}", "", head, rule, *rows, "", *(f"- {note}" for note in notes), "", measured])
    _STORE.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    _PAGE.write_text("\n".join([_HEAD, *(kept[name] + "\n" for name in sorted(kept))]), "utf-8")
    print(kept[key], flush=True)
