"""Checks a commit message: a subject of 72 characters at most without a full stop, an empty line, and a body that says why."""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST = 72


def problems(message: str) -> list[str]:
    """What is wrong with the message; nothing for a merge or a revert."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject, body = (lines[0] if lines else ""), lines[1:]
    if subject.startswith(("Merge ", "Revert ")):
        return []
    found = []
    if not subject or len(subject) > LONGEST:
        found.append(f"the subject has {len(subject)} characters; write 1 to {LONGEST}")
    if subject.endswith("."):
        found.append("the subject ends with a full stop; leave it out")
    if not any(line.strip() for line in body):
        found.append("there is no body; say why, and what else was weighed")
    elif body[0].strip():
        found.append("the second line is not empty; put an empty line after the subject")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]).read_text("utf-8"))
    print("\n".join(f"commit message: {one}" for one in wrong), file=sys.stderr)
    sys.exit(1 if wrong else 0)
