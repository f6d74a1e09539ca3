"""Asks PyPI for known vulnerabilities of what the lock files pin: ``python .ci/audit.py [FILE]``, by default both lock files.

Ends with 1 when one is known. Where PyPI does not answer (no network, a mirror without its JSON API) it says "not run, because …" and
ends with 0: an audit must not keep a change out for want of a network, nor may it look as if it had been made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements/runtime.lock", "requirements/dev.lock")
TIMEOUT_S = 180


@dataclass(frozen=True, slots=True)
class Verdict:
    words: str
    vulnerable: bool = False


def read_verdict(report: str, error: str) -> Verdict:
    """What pip-audit's JSON says, or, when there is none, what it said instead."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = (error.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return Verdict(f"not run, because {why[:200]}")
    found = [
        f"{one['name']} {one['version']}: {vuln['id']}, fixed in {', '.join(vuln['fix_versions']) or 'no version yet'}"
        for one in packages
        for vuln in one.get("vulns", ())
    ]
    if found:
        return Verdict("known vulnerabilities:\n  " + "\n  ".join(found), vulnerable=True)
    skipped = [one for one in packages if "skip_reason" in one]
    if packages and len(skipped) == len(packages):
        return Verdict(
            f"not run, because PyPI gave no answer for any of {len(packages)} packages ({skipped[0]['skip_reason'][:120]})"
        )
    missing = f"; no answer for {', '.join(one['name'] for one in skipped)}" if skipped else ""
    return Verdict(f"no known vulnerability in {len(packages) - len(skipped)} packages{missing}")


def audit(lock: str) -> Verdict:
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        lock,
        "--disable-pip",
        "--require-hashes",
        "-f",
        "json",
        "--timeout",
        "10",
    ]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - our own words
    except subprocess.TimeoutExpired:
        return Verdict(f"not run, because PyPI did not answer within {TIMEOUT_S} s")
    return read_verdict(ended.stdout, ended.stderr)


def main(locks: list[str]) -> int:
    vulnerable = False
    for lock in locks or LOCKS:
        verdict = audit(lock)
        print(f"dependency audit of {lock}: {verdict.words}", flush=True)
        vulnerable = vulnerable or verdict.vulnerable
    return int(vulnerable)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
