"""What has to be right before a release: ``make release-check``. Prints a line for each check; ends with 1 when one fails."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MADE = {
    "docs/settings.md": ["-m", "sync.settings.reference"],
    "docs/metrics.md": ["-m", "schemas.metric_declarations"],
    "docs/faults.md": ["-m", "consumers.causes_page"],
}
"""Page → what prints it."""
_STATUS = ("git", "status", "--porcelain")
WRITTEN = {"docs/rooms.md": "docs/tools/rooms.py", "docs/commands.md": "docs/tools/commands.py"}


def versions() -> Iterator[tuple[str, str]]:
    """Every place that names the version, with what it names."""
    yield "pyproject.toml", tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    released = re.search(r"^## \[?(\d+\.\d+\.\d+)\]?", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    yield "CHANGELOG.md", released[1] if released else "none: move Unreleased under the version and the day"
    images = yaml.safe_load((ROOT / "deploy/kubernetes/example/kustomization.yaml").read_text("utf-8"))["images"]
    yield "deploy/kubernetes/example/kustomization.yaml", images[0]["newTag"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603


def problems() -> Iterator[tuple[str, str]]:
    """Each check with what is wrong; an empty text where nothing is."""
    named = list(versions())
    wrong = [f"{place} says {version}" for place, version in named[1:] if version != named[0][1]]
    yield f"one version, {named[0][1]}", "; ".join(wrong)
    migrations = _run("-m", "admin", "makemigrations", "--check", "--dry-run", "quickbooks_online")
    yield "no migration is missing", "" if migrations.returncode == 0 else migrations.stdout.strip()
    for page, module in MADE.items():
        printed = _run(*module).stdout.rstrip("\n")
        same = (ROOT / page).read_text("utf-8").rstrip("\n") == printed
        yield f"{page} is up to date", "" if same else f"run: python {' '.join(module)} > {page}"
    for page, script in WRITTEN.items():
        before = (ROOT / page).read_text("utf-8")
        _run(script)
        same = (ROOT / page).read_text("utf-8") == before
        yield f"{page} is up to date", "" if same else f"{script} has written it; commit it"
    owner = re.search(r"OWNER|YEAR", (ROOT / "LICENSE").read_text("utf-8"))
    yield "LICENSE names its owner", "fill in YEAR and OWNER" if owner else ""
    dirty = subprocess.run(_STATUS, cwd=ROOT, capture_output=True, text=True, check=False).stdout  # noqa: S603
    yield "everything is committed", dirty.strip().replace("\n", ", ")


def main() -> int:
    failed = 0
    for check, wrong in problems():
        failed += bool(wrong)
        print(f"{'wrong' if wrong else 'ok':5}  {check}{f': {wrong}' if wrong else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
