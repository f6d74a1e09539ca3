"""SIMULATOR_SETTINGS, and the rows of settings that `make switches` runs the tests under."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from simulator import Settings
from simulator.settings import VARIABLE, SettingsError, read_switches, unknowns
from simulator.world import World
from tests.switches import covering, table, written


def test_the_environment_sets_switches_and_what_is_named_stays_as_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        VARIABLE, "duplicate_name_detail=null, throttle_status=403,quota_enabled=true,sparse_null_clears=true"
    )
    settings = Settings.from_environment(quota_enabled=False)
    assert settings == Settings(
        duplicate_name_detail="null", throttle_status=403, sparse_null_clears=True, quota_enabled=False
    )
    assert World().settings == Settings.from_environment()
    assert World(settings=Settings()).settings == Settings()


@pytest.mark.parametrize("text", ["nonsense=1", "tax_rounding", "throttle_status=404", "quota_enabled=yes"])
def test_an_environment_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(SettingsError, match=f"{VARIABLE}: .*{text.partition('=')[0]}"):
        Settings.from_environment()


@pytest.mark.parametrize("strength", [1, 2])
def test_the_rows_hold_every_combination_of_values(strength: int) -> None:
    values = unknowns()
    rows = [{name: some[0] for name, some in values.items()}, *covering(values, strength)]
    for names in combinations(values, strength):
        together = {tuple(row[name] for name in names) for row in rows}
        assert together == set(product(*(values[name] for name in names))), names


def test_a_row_is_read_back_as_it_was_written() -> None:
    for row in covering(unknowns(), 1):
        assert Settings().replace(read_switches(written(row).split(","))) == Settings().replace(row)


def test_the_table_says_what_each_row_sets() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in table(list(covering(unknowns(), 1))).splitlines()}
    assert lines.keys() == {"switch", *unknowns()}
    assert lines["switch"] == ["default", "row", "1", "row", "2"]
    assert lines["requestid_in_flight"] == ["wait", "600", "twice"]
    assert lines["requestid_replays_faults"] == ["true", "false", "·"]
