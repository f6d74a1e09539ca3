"""``python -m tests.fuzz decoder|faults|templates``: so many inputs, no crash, no hang; prints how many and with what.

atheris leads by coverage where it is installed (Linux, CPython up to 3.13); elsewhere a seeded generator mutates the corpus.
What breaks a promise is kept in `tests/fuzz/found/`, and so is run by `make test` from then on.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

try:
    import atheris
except ImportError:
    from tests.fuzz.targets import TARGETS
else:
    # What decides about an input; everything else runs at its usual speed.
    with atheris.instrument_imports(include=["schemas", "mapping", "qbo_client", "xml"]):
        from tests.fuzz.targets import TARGETS

from tests.fuzz.generator import generated

FOUND = Path(__file__).parent / "found"
SLOW_S = 2.0
"""CPU seconds for one input: generous, since none should take a hundredth of it."""
HANG_S = 60
LONGEST = 4_096
"""Bytes of an input."""


class TooSlow(Exception):
    """One input took more CPU time than any should."""


class Counted:
    """A target that counts its inputs, holds each to its time, and says so at the end."""

    def __init__(self, name: str, inputs: int, how: str) -> None:
        self._run: Callable[[bytes], None] = TARGETS[name].run
        self._name, self._inputs, self._how = name, inputs, how
        self._began = time.monotonic()
        self._slowest = 0.0
        self.count = 0

    def __call__(self, data: bytes) -> None:
        began = time.process_time()
        self._run(data)
        took = time.process_time() - began
        self._slowest = max(self._slowest, took)
        if took > SLOW_S:
            raise TooSlow(f"{took:.1f} s for {len(data)} bytes")
        self.count += 1

    @property
    def done(self) -> bool:
        return self.count >= self._inputs

    def say(self) -> None:
        seconds = time.monotonic() - self._began
        print(
            f"{self._name}: {self.count:,} inputs, no crash, no hang; slowest {self._slowest * 1000:.0f} ms of CPU; {seconds:,.0f} s; "
            f"{self._how}; Python {platform.python_version()}",
            flush=True,
        )


def with_atheris(name: str, inputs: int, seed: int) -> None:
    """Let libFuzzer lead; it ends the process, with 77 when something was found."""
    counted = Counted(name, inputs, f"atheris, seed {seed}")
    work = Path(os.environ.get("FUZZ_CORPUS", f".kompass-qbo/fuzz/{name}"))
    work.mkdir(parents=True, exist_ok=True)
    for data in TARGETS[name].corpus:
        (work / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = work.parent / f"{name}.dict"
    words.write_text("".join('"' + "".join(f"\\x{b:02x}" for b in word) + '"\n' for word in TARGETS[name].words))

    def one(data: bytes) -> None:
        counted(data)
        if counted.done:
            counted.say()
            sys.stdout.flush()
            os._exit(0)

    options = [
        f"-seed={seed}", f"-timeout={HANG_S}", f"-max_len={LONGEST}", f"-dict={words}", f"-artifact_prefix={FOUND}/{name}-",
        "-rss_limit_mb=2048", "-verbosity=0", str(work),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def with_generator(name: str, inputs: int, seed: int) -> int:
    """Mutate the corpus; the same inputs for the same seed."""
    counted = Counted(name, inputs, f"seeded generator, seed {seed}")
    target = TARGETS[name]
    for number in range(inputs):
        if number % 1_000 == 0:
            # Nothing else can end a loop in C: the stack is shown, and the process ends.
            faulthandler.dump_traceback_later(HANG_S, exit=True)
        data = generated(target, seed, number, longest=LONGEST)
        try:
            counted(data)
        except Exception as error:  # noqa: BLE001 - any error, it is a finding
            path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            print(
                f"input {number:,} of seed {seed} breaks {name} ({type(error).__name__}: {str(error)[:300]})",
                file=sys.stderr,
            )
            print(
                f"kept; repeat with: python -m tests.fuzz {name} --file {path.relative_to(Path.cwd())}", file=sys.stderr
            )
            return 1
    faulthandler.cancel_dump_traceback_later()
    counted.say()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    led = parser.add_mutually_exclusive_group()
    led.add_argument("--atheris", action="store_true", help="be led by coverage, also where that is slow")
    led.add_argument("--generator", action="store_true", help="the seeded generator, also where atheris is there")
    parser.add_argument("--file", type=Path, help="run this one input, and show what it breaks")
    options = parser.parse_args()
    if options.file is not None:
        Counted(options.target, 1, "")(options.file.read_bytes())
        return 0
    wanted = options.atheris or (TARGETS[options.target].guided and not options.generator)
    if wanted and "atheris" in sys.modules:
        with_atheris(options.target, options.inputs, options.seed)
    return with_generator(options.target, options.inputs, options.seed)


if __name__ == "__main__":
    sys.exit(main())
