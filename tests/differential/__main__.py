"""``python -m tests.differential [--old COMMIT] [--worlds N]``: what two commits send to QuickBooks for the same events.

The demo's events and N generated worlds, each pushed by the code of COMMIT and by this one against the simulator of this one, which is
reset before every world. Compared are the requests of each record: method, path and body, in their order. Left out is what chance
decides (request ids, tokens, moments); an Id that QuickBooks gave is named by what it was given to.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click

from schemas.jsonlines import event_to_json
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.builders import UK_ORG
from tests.chaos.kompass import Kompass

ROOT = Path(__file__).parents[2]
OLD = "0030317"
STEPS = 60

_MARK = re.compile(r"Kompass invoice (\S+) \(")


def worlds(directory: Path, count: int, seed: int) -> dict[str, str]:
    """Write the worlds' events, a file each; gives the files by name."""
    found = {"demo": str(ROOT / "demo" / "samples" / "demo.jsonl")}
    for number in range(count):
        kompass = Kompass((UK_ORG,), random.Random(seed + number))
        file = directory / f"world-{number + 1}.jsonl"
        file.write_text(
            "".join(f"{json.dumps(event_to_json(one))}\n" for one in kompass.steps(STEPS)), encoding="utf-8"
        )
        found[f"world {number + 1}"] = str(file)
    return found


def pushed(checkout: Path, directory: Path, files: dict[str, str], name: str) -> dict[str, Any]:
    """Push every world with the code of a checkout; gives the requests and ends of each."""
    simulator = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--set", "quota_enabled=false",
         "--set", "concurrent_refresh_seconds=0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
    )  # fmt: skip
    assert simulator.stdout is not None
    try:
        job = {
            "simulator": simulator.stdout.readline().split()[-1], "worlds": files, "out": str(directory / f"{name}.json"),
            "client": [DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET],
        }  # fmt: skip
        (directory / f"{name}-job.json").write_text(json.dumps(job), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-P", str(Path(__file__).with_name("drive.py")), str(directory / f"{name}-job.json")],
            cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
        return found
    finally:
        simulator.terminate()
        simulator.wait()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without what chance decides."""

    what: str
    """Method and path."""
    body: Any

    def __str__(self) -> str:
        return f"{self.what} {json.dumps(self.body, sort_keys=True)}"


def by_record(requests: list[dict[str, Any]]) -> dict[str, list[Request]]:
    """Give what was sent for each record, in its order; reads of facts and rates are those of their company."""
    names: dict[tuple[str, str, str], str] = {}
    found: dict[str, list[Request]] = defaultdict(list)
    for one in requests:
        realm = one["realm"]
        body = one["request"] if isinstance(one["request"], dict) else {}
        made = one["response"].get(one["entity"]) if isinstance(one["response"], dict) else None
        object_id = str((made if isinstance(made, dict) else body).get("Id", ""))
        key, named = (realm, one["entity"], object_id), _named(one["entity"], body)
        if one["operation"] == "create" and object_id and named:
            names.setdefault(key, named)
        record = f"{realm[-1]} {names.get(key) or named or 'company'}"
        what = f"{one['method']} {re.sub(f'/v3/company/{realm}/', '', re.sub(r'/[0-9]+$', '/Id', one['path']))}"
        if "operation=" in one["query"]:
            what += " void"
        found[record].append(Request(what, _without_chance(body or one["request"] or _query(one), realm, names)))
    return dict(found)


def _query(one: dict[str, Any]) -> str:
    return re.sub(r"&?requestid=[^&]*", "", str(one["query"]))


def _named(entity: str, body: dict[str, Any]) -> str:
    if entity == "Customer":
        return f"customer {body['DisplayName']}" if "DisplayName" in body else ""
    marked = _MARK.search(str(body.get("PrivateNote", "")))
    return f"invoice {marked[1]}" if marked else ""


def _without_chance(value: Any, realm: str, names: dict[tuple[str, str, str], str], member: str = "") -> Any:
    if isinstance(value, dict):
        if member in ("CustomerRef", "ParentRef"):
            return {"value": names.get((realm, "Customer", str(value.get("value"))), value.get("value"))}
        return {name: _without_chance(one, realm, names, name) for name, one in value.items() if name != "Id"}
    if isinstance(value, list):
        return [_without_chance(one, realm, names) for one in value]
    if isinstance(value, str):
        return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.+Z-]+", "a moment", value)
    return value


STATES = {"settled": "synced", "rejected": "failed", "held": "retrying", "due": "pending"}
"""The names that states had before, and have now."""
TAB = "\t"


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Say how many records got the same requests, and count the kinds of differences, each with its first example."""
    kinds: Counter[str] = Counter()
    examples: dict[str, str] = {}
    alike = differing = 0
    for world in old:
        before, after = by_record(old[world]["requests"]), by_record(new[world]["requests"])
        for record in sorted(before.keys() | after.keys()):
            found = list(_differences(before.get(record, []), after.get(record, [])))
            alike, differing = alike + (not found), differing + bool(found)
            for kind, example in found:
                kinds[kind] += 1
                examples.setdefault(kind, f"{world}, {record}: {example}")
        ended = [_renamed(one) for one in old[world]["ends"]]
        for sign, ends, others in (("-", ended, new[world]["ends"]), ("+", new[world]["ends"], ended)):
            for end in (one for one in ends if one not in others):
                kind = f"{sign} end: {' '.join(end.split(TAB)[-2:])}"
                kinds[kind] += 1
                examples.setdefault(kind, f"{world}: {end}")
    lines = [f"{alike} records got the same requests, {differing} others"]
    return lines + [f"{count:5}  {kind}\n         {examples[kind]}" for kind, count in kinds.most_common()]


def _renamed(end: str) -> str:
    return TAB.join(STATES.get(word, word) for word in end.split(TAB))


def _differences(before: list[Request], after: list[Request]) -> Iterator[tuple[str, str]]:
    """Pair the requests of a record as far as their methods and paths agree, and name what differs."""
    matcher = SequenceMatcher(None, [one.what for one in before], [one.what for one in after], autojunk=False)
    for what, i, till_i, j, till_j in matcher.get_opcodes():
        if what == "equal":
            for one, other in zip(before[i:till_i], after[j:till_j], strict=True):
                if one.body != other.body:
                    members = _members(one.body, other.body)
                    yield f"{one.what}: {', '.join(members)}", f"{one} ⟶ {other}"
        else:
            yield from ((f"- {one.what}", str(one)) for one in before[i:till_i])
            yield from ((f"+ {one.what}", str(one)) for one in after[j:till_j])


def _members(before: Any, after: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ["text"]
    return [
        ("+" if name not in before else "-" if name not in after else "≠") + name
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


@click.command()
@click.option("--old", default=OLD, show_default=True, help="The commit to compare with.")
@click.option("--worlds", "count", default=20, show_default=True, help="Generated worlds beside the demo's events.")
@click.option("--seed", default=20261122, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep what both sent in this directory.")
@click.option("--again", is_flag=True, help="Compare what --keep has, without pushing.")
def main(old: str, count: int, seed: int, keep: Path | None, again: bool) -> None:
    """Compare what two commits send to QuickBooks."""
    if again and keep is not None:
        kept = (json.loads((keep / f"{name}.json").read_text(encoding="utf-8")) for name in ("old", "new"))
        click.echo("\n".join(compare(*kept)))
        return
    with tempfile.TemporaryDirectory(prefix="kqdiff") as made:
        directory = keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        checkout = Path(made) / "old"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(checkout), old], cwd=ROOT, check=True)
        # Packages that are installed beside ours bring a `tests` of their own.
        (checkout / "tests" / "__init__.py").touch()
        try:
            files = worlds(directory, count, seed)
            lines = compare(pushed(checkout, directory, files, "old"), pushed(ROOT, directory, files, "new"))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(checkout)], cwd=ROOT, check=True)
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
