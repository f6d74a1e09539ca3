"""Java programs from Maven Central, kept between runs in the user's cache directory.

A `pom.xml` under `deploy/kafka/` says which; Maven brings them through the repository that it is set up with.
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

ROOT: Final = Path(__file__).resolve().parents[1]
POMS: Final = ROOT / "deploy" / "kafka"
_OLDEST_JAVA: Final = 17
_DOWNLOAD_S: Final = 240
_TRIES: Final = 3
_PAUSE_S: Final = 3.0
_PLAIN: Final = ("-Dstyle.color=never",)

# Small servers that live for a minute or two: the quick compiler alone, the collector without threads.
JVM: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m")


class NotHere(Exception):
    """This machine cannot run the program; the message says why, for the summary of what was skipped."""


@cache
def java() -> str:
    """The `java` to run them with. Raises `NotHere`."""
    found = shutil.which("java")
    if found is None:
        raise NotHere("there is no java")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        raise NotHere(f"java is {said.splitlines()[0] if said else 'mute'}, and {_OLDEST_JAVA} or newer is needed")
    return found


def version_in(pom: Path, name: str) -> str:
    """The value of a property of a pom."""
    found = re.search(rf"<{re.escape(name)}>(.*?)</", pom.read_text("utf-8"))
    assert found is not None, f"{pom} has no property {name}"
    return found[1]


@cache
def libraries(pom: Path, name: str, *, goal: str = "copy-dependencies") -> Path:
    """The directory with what `pom` depends on (with the goal ``copy``: names), downloaded when it is not there yet.

    Raises `NotHere`.
    """
    java()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kompass-qbo"
    directory = base / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if directory.is_dir():
        return directory
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHere("there is no mvn to fetch it with")
    base.mkdir(parents=True, exist_ok=True)
    with (base / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.is_dir():
            return directory
        # In a place of its own until it is whole: an interrupted download must not look like a finished one.
        part = directory.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        _run([maven, "-q", "-B", *_PLAIN, "-f", str(pom), f"dependency:{goal}", f"-DoutputDirectory={part}"], name=name)
        for archive in part.glob("*.tar.gz"):
            shutil.unpack_archive(archive, part, filter="data")
            archive.unlink()
        part.rename(directory)
    return directory


def _run(command: list[str], *, name: str) -> None:
    """Run Maven, again when it fails: a repository that hiccups is no reason to go without."""
    until = time.monotonic() + _DOWNLOAD_S
    for tries_left in reversed(range(_TRIES)):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=max(until - time.monotonic(), 1), check=False
            )
        except subprocess.TimeoutExpired:
            raise NotHere(f"mvn did not bring {name} within {_DOWNLOAD_S} s") from None
        if done.returncode == 0:
            return
        if not tries_left:
            errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["mvn failed without a word"]
            raise NotHere(f"mvn cannot bring {name} ({re.sub(r'[a-z]+://[^ )]+', '…', errors[0])[:200]})")
        time.sleep(_PAUSE_S)
