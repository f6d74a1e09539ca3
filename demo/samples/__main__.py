"""``python -m demo.samples --write | --summary``."""

from __future__ import annotations

import sys

import orjson

from demo.samples import DEMO_FILE
from demo.samples.story import sample_events
from demo.samples.summary import summary
from schemas.jsonlines import event_to_json, read_json_lines


def as_lines() -> bytes:
    """The file, byte for byte."""
    return b"".join(orjson.dumps(event_to_json(event)) + b"\n" for event in sample_events())


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        DEMO_FILE.write_bytes(as_lines())
        return 0
    if arguments == ["--summary"]:
        with DEMO_FILE.open("rb") as lines:
            print(summary([event for _, event in read_json_lines(lines)]))
        return 0
    print("usage: python -m demo.samples --write | --summary", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
