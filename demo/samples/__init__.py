"""The sample events of the demo: three Orgs, a quarter of their business, and what goes wrong in one.

`demo.jsonl` is what `kompass-qbo publish` takes; ``python -m demo.samples --write`` makes it again, always the same,
and ``--summary`` counts what is inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from demo.samples.rejected import REJECTED, SampleRejection

DEMO_FILE: Final = Path(__file__).parent / "demo.jsonl"

__all__ = ["DEMO_FILE", "REJECTED", "SampleRejection"]
