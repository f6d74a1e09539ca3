"""Clients that others wrote, at pinned versions, kept between runs in the user's cache directory.

`java/pom.xml` and `node/package-lock.json` say which. Maven and npm bring them through the registries that they are set up
with; every jar is held against `java/sha256sums.txt`, every package of npm against the integrity in its lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Final

from tests.artifacts import NotHere, java, libraries

HERE: Final = Path(__file__).resolve().parent
NODE: Final = HERE / "node"
JAVA: Final = HERE / "java"
_OLDEST_NODE: Final = 18
_DOWNLOAD_S: Final = 240
_TRIES: Final = 3
_PAUSE_S: Final = 3.0


class Tampered(Exception):
    """What came is not what was pinned."""


@cache
def java_sdk() -> tuple[str, Path]:
    """The `java` to run, and the directory with Intuit's SDK and all it needs.

    :raises NotHere: when this machine cannot have it. :raises Tampered: for a jar that is not the pinned one.
    """
    command = java()
    listed = subprocess.run([command, "--list-modules"], capture_output=True, text=True, timeout=60, check=False).stdout
    if "jdk.compiler" not in listed:
        raise NotHere("java is here without its compiler")
    directory = libraries(JAVA / "pom.xml", "quickbooks-java")
    pinned = dict(line.split()[::-1] for line in (JAVA / "sha256sums.txt").read_text("utf-8").splitlines())
    found = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in directory.glob("*.jar")}
    other = sorted(name for name in {*pinned, *found} if pinned.get(name) != found.get(name))
    if other:
        raise Tampered(f"{directory} does not hold the pinned jars: {', '.join(other[:5])}")
    return command, directory


@cache
def node_packages() -> tuple[str, Path]:
    """The `node` to run, and the `node_modules` with the clients.

    :raises NotHere: when this machine cannot have them.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        raise NotHere("there is no node")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    version = re.match(r"v(\d+)", said)
    if version is None or int(version[1]) < _OLDEST_NODE:
        raise NotHere(f"node is {said or 'mute'}, and {_OLDEST_NODE} or newer is needed")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kompass-qbo"
    locked = (NODE / "package-lock.json").read_bytes()
    directory = base / f"quickbooks-node-{hashlib.sha256(locked).hexdigest()[:12]}"
    if not directory.is_dir():
        if npm is None:
            raise NotHere("there is no npm to fetch the clients with")
        base.mkdir(parents=True, exist_ok=True)
        with (base / ".quickbooks-node.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.is_dir():
                _npm_ci(npm, directory)
    return node, directory / "node_modules"


def _npm_ci(npm: str, directory: Path) -> None:
    # In a place of its own until it is whole: an interrupted download must not look like a finished one.
    part = directory.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, part / name)
    until = time.monotonic() + _DOWNLOAD_S
    for tries_left in reversed(range(_TRIES)):
        try:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=part,
                capture_output=True,
                text=True,
                timeout=max(until - time.monotonic(), 1),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotHere(f"npm did not bring the clients within {_DOWNLOAD_S} s") from None
        if done.returncode == 0:
            part.rename(directory)
            return
        if "EINTEGRITY" in done.stderr:
            raise Tampered("npm brought a package that is not the pinned one")
        if not tries_left:
            errors = [line for line in done.stderr.splitlines() if line] or ["npm failed without a word"]
            raise NotHere(f"npm cannot bring the clients ({re.sub(r'[a-z]+://[^ )]+', '…', errors[0])[:200]})")
        time.sleep(_PAUSE_S)
