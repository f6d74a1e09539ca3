"""Company settings that are turned over in the middle of a run: by a rule, and at random in the background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import USA, Simulator
from simulator.settings import SettingsError

from .conftest import Http
from .recorded import LINE, USD, Connect

Start = Callable[..., Simulator]


def document(customer: dict[str, Any], number: str) -> dict[str, Any]:
    owner = {"CustomerRef": {"value": customer["Id"]}, "CurrencyRef": {"value": USD["value"]}}
    return {**owner, "Line": [LINE], "DocNumber": number}


def test_company_settings_turn_over_in_the_background(start: Start, connect: Connect) -> None:
    """Each is turned, most of them back too; every document is answered, and the same seed gives the same story."""
    stories = []
    for _ in range(2):
        usa = connect(start(background_settings="all", background_per_thousand=100, background_seed=2), USA)
        customer = usa.create("Customer", {"DisplayName": "Larch"})
        numbers = [usa.create("Invoice", document(customer, f"INV-{n}"))["DocNumber"] for n in range(40)]
        trail = usa.intuit.call(lambda world: world.companies[USA].trail.newest(entity="Preferences"))
        stories.append((numbers, [(one.before, one.after) for one in trail]))
    numbers, turned = stories[0]
    assert stories[0] == stories[1]
    assert {number[:4] == "INV-" for number in numbers} == {True, False}
    assert len(turned) > 10


def test_a_rule_turns_a_setting_over(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "setting", "setting": "custom_numbers", "on": None, "count": 2})
    customer = usa.create("Customer", {"DisplayName": "Larch"})
    assert usa.get("preferences").json()["Preferences"]["SalesFormsPrefs"]["CustomTxnNumbers"] is True
    assert usa.create("Invoice", document(customer, "INV-1"))["DocNumber"] == "INV-1"


@pytest.mark.parametrize(("name", "value"), [("background_settings", "rain"), ("background_trouble", "custom_numbers")])
def test_what_a_company_does_not_have_cannot_be_in_the_background(start: Start, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: '{value}' is not a"):
        start(**{name: value})
