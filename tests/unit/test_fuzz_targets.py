"""What fuzzing has found stays fixed, and a few thousand new inputs in every run: `make fuzz` tries a million of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.generator import generated
from tests.fuzz.targets import TARGETS, run_faults

FOUND = sorted((Path(__file__).parents[1] / "fuzz" / "found").iterdir())
INPUTS = 1_500


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_is_fixed(path: Path) -> None:
    TARGETS[path.name.partition("-")[0]].run(path.read_bytes())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_input_breaks_a_promise(name: str) -> None:
    target = TARGETS[name]
    for number in range(INPUTS):
        target.run(generated(target, 20261122, number, longest=4_096))


def test_the_inputs_are_the_same_for_the_same_seed() -> None:
    target = TARGETS["decoder"]
    inputs = [generated(target, 7, number, longest=4_096) for number in range(200)]
    assert inputs == [generated(target, 7, number, longest=4_096) for number in range(200)]
    assert len(set(inputs)) > 150


def test_a_target_fails_on_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.targets.report_of", lambda body: None)
    monkeypatch.setattr("tests.fuzz.targets.of_faults", lambda *_, **__: "no outcome")
    with pytest.raises(AssertionError):
        run_faults(b"\0\1{}")
