"""A figure: what was measured against what, in interleaved runs; and the place where figures of all programs meet."""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from bench import ROOT
from bench.page import write_page

STORE = ROOT / "docs" / "benchmarks.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: ``values`` holds one value a run, the median is what counts."""

    key: str
    group: str
    title: str
    unit: str
    values: Sequence[float]
    better: Literal["higher", "lower"]
    target: float | None = None
    note: str = ""
    """What stands beside it: the absolute numbers it comes from."""
    cause: str = ""
    """Why the target is not met, and what was tried."""
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    measured: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M"))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.median >= self.target if self.better == "higher" else self.median <= self.target


def publish(*figures: Figure) -> None:
    """Print figures, keep them with those of the other programs, and write the page; not after a quick run (`make bench-quick`)."""
    kept = json.loads(STORE.read_text("utf-8")) if STORE.exists() else {}
    for one in figures:
        kept[one.key] = {**asdict(one), "values": list(one.values)}
        target = (
            "" if one.target is None else f"  target {'≥' if one.better == 'higher' else '≤'} {one.target:g} {one.unit}"
        )
        verdict = {True: ": met", False: ": NOT met", None: ""}[one.met]
        spread = f"{min(one.values):.3g} to {max(one.values):.3g}"
        print(f"{one.title}: {one.median:.3g} {one.unit} ({spread}){target}{verdict}\n    {one.note}", flush=True)
    if os.environ.get("BENCH_QUICK"):
        return
    STORE.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    write_page([Figure(**value) for _, value in sorted(kept.items())])
