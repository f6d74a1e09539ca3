"""Quotas on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simulator import Clock, Settings
from simulator.quota import Quotas
from simulator.settings import SettingsError, choices


class Gate:
    def __init__(self, **switches: Any) -> None:
        self.clock = Clock(start=datetime(2026, 3, 31, 23, 0, tzinfo=UTC))
        self.quotas = Quotas(self.clock)
        self.settings = Settings(**switches)

    def call(self, realm: str = "1", client: str = "app", *, batch: bool = False) -> bool:
        admitted = self.quotas.admit(realm, client, batch=batch, settings=self.settings)
        if admitted:
            self.quotas.finish(realm, client)
        return admitted


def test_ten_a_second_for_each_company_and_app() -> None:
    gate = Gate()
    assert [gate.call() for _ in range(11)] == [True] * 10 + [False]
    assert gate.call("2")
    assert gate.call("1", "another app")
    gate.clock.advance(1)
    assert gate.call()


def test_five_hundred_a_minute_for_each_company_over_all_apps() -> None:
    gate = Gate()
    for number in range(500):
        assert gate.call("1", f"app {number % 2}")
        gate.clock.advance(0.1)
    assert not gate.call()
    assert gate.call("2")
    gate.clock.advance(60)
    assert gate.call()


def test_a_refused_call_does_not_count() -> None:
    gate = Gate()
    for _ in range(100):
        gate.call()
    gate.clock.advance(1)
    assert gate.call()


def test_forty_batches_a_minute_for_an_app_and_120_for_a_company() -> None:
    gate = Gate()

    def batches(client: str) -> int:
        taken = 0
        for _ in range(50):
            taken += gate.call("1", client, batch=True)
            gate.clock.advance(0.2)
        return taken

    assert [batches(client) for client in ("a", "b", "c", "d")] == [40, 40, 40, 0]


def test_ten_at_once() -> None:
    gate = Gate(quota_per_second=100)
    for _ in range(10):
        assert gate.quotas.admit("1", "app", batch=False, settings=gate.settings)
    assert not gate.call()
    gate.quotas.finish("1", "app")
    assert gate.call()


def test_switch_quota_window() -> None:
    taken = {}
    for window in ("sliding", "fixed"):
        gate = Gate(quota_window=window)
        gate.clock.advance(0.9)
        first = sum(gate.call() for _ in range(10))
        gate.clock.advance(0.2)
        taken[window] = first + sum(gate.call() for _ in range(10))
    assert taken == {"sliding": 10, "fixed": 20}


def test_switch_quota_enabled() -> None:
    gate = Gate(quota_enabled=False)
    assert all(gate.call() for _ in range(1000))


def test_reads_are_metered_by_the_month() -> None:
    gate = Gate(metered_per_month=2)
    for _ in range(2):
        assert not gate.quotas.budget_spent("app", gate.settings)
        gate.quotas.count_reads("app", 1)
    assert gate.quotas.budget_spent("app", gate.settings)
    assert not gate.quotas.budget_spent("another", gate.settings)
    gate.clock.advance(3600)
    assert not gate.quotas.budget_spent("app", gate.settings)


def test_a_request_id_is_kept_for_ten_minutes_at_least() -> None:
    assert Settings(requestid_retention_seconds=600).requestid_retention_seconds == 600
    with pytest.raises(SettingsError):
        Settings(requestid_retention_seconds=599)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonsense": 1},
        {"tax_rounding": "up"},
        {"quota_enabled": 1},
        {"quota_per_minute": "5"},
        {"quota_per_minute": -1},
    ],
)
def test_a_switch_that_does_not_exist_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Settings().replace(changes)


def test_each_switch_with_choices_names_its_default_first() -> None:
    defaults = Settings().as_mapping()
    assert all(values[0] == defaults[name] and len(values) > 1 for name, values in choices().items())


@pytest.mark.parametrize(
    ("switch", "batch"),
    [
        ("quota_per_minute", False),
        ("quota_per_second", False),
        ("quota_batch_per_minute", True),
        ("quota_batch_per_minute_realm", True),
    ],
)
def test_switch_limits_of_calls(switch: str, batch: bool) -> None:
    gate = Gate(**{switch: 3})
    assert [gate.call(batch=batch) for _ in range(4)] == [True] * 3 + [False]


def test_switch_quota_in_flight() -> None:
    gate = Gate(quota_in_flight=1)
    assert gate.quotas.admit("1", "app", batch=False, settings=gate.settings)
    assert not gate.call()
