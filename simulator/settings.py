"""How the simulator answers where Intuit's documentation says nothing.

Every member is a switch for a behaviour that is not established (docs/simulator.md lists them with what is known), or a
limit that Intuit publishes and may change. A client must be safe under every value.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from simulator.trouble import ALL, RuleError, background_kinds, background_settings

VARIABLE = "SIMULATOR_SETTINGS"
MINIMUM_REQUESTID_RETENTION_SECONDS = 600


class SettingsError(ValueError):
    """A switch was given a name or a value that does not exist."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The switches, immutable; :meth:`replace` makes the next set. Times are seconds, limits are counts."""

    # --- request ids
    requestid_retention_seconds: int = 86_400
    requestid_replays_faults: bool = True
    requestid_in_flight: Literal["wait", "600", "twice"] = "wait"
    requestid_other_body: Literal["replay", "600"] = "replay"
    batch_requestid: Literal["item", "batch"] = "item"
    requestid_repeated: Literal["replay", "6000"] = "6000"

    # --- transient faults
    name_lock: Literal["off", "on"] = "on"
    name_write_milliseconds: int = 0
    background_trouble: str = "none"
    background_settings: str = "none"
    background_per_thousand: int = 20
    background_seed: int = 0

    # --- OAuth
    access_token_seconds: int = 3_600
    refresh_token_seconds: int = 8_640_000
    refresh_hard_limit_seconds: int = 157_680_000
    rotation_seconds: int = 86_400
    rotation_grace_seconds: int = 0
    concurrent_refresh: Literal["allow", "revoke"] = "revoke"
    concurrent_refresh_seconds: int = 2
    invalid_grant_body: Literal["bare", "described"] = "bare"
    invalid_client_status: Literal[401, 400] = 401
    open_registration: bool = True
    code_seconds: int = 600

    # --- updates
    sparse_null_clears: bool = False
    sparse_nested: Literal["replace", "merge"] = "replace"
    sparse_line_needs: Literal["nothing", "credit_memo", "any"] = "credit_memo"
    sparse_custom_fields: Literal["merge", "replace"] = "merge"

    # --- names and references
    inner_spaces: Literal["kept", "folded"] = "folded"
    merged_customer: Literal["inactive", "gone"] = "gone"
    inactive_name_is_free: bool = False
    duplicate_name_detail: Literal["id", "null", "sentence"] = "null"
    forbidden_character_code: Literal["6000", "2040"] = "2040"
    missing_item_detail: Literal["element_id", "path"] = "path"
    inactive_reference_code: Literal["610", "2500"] = "610"
    inactive_customer_code: Literal["610", "2500", "6250"] = "610"

    # --- documents
    currency_ref_required: Literal["never", "foreign", "always"] = "always"
    docnumber_scope: Literal["type", "sales"] = "sales"
    custom_field_length: int = 31
    class_when_tracking_is_off: Literal["drop", "refuse"] = "drop"
    negative_total_code: Literal["6000", "2290"] = "6000"
    closed_period_code: Literal["6210", "6200", "5010"] = "5010"
    paid_document: Literal["unlink", "refuse"] = "refuse"
    amount_tolerance_cents: int = 0
    omitted_exchange_rate: Literal["day", "one"] = "one"
    line_limit: Literal["any", "taxed"] = "any"
    line_without_item: Literal["item", "documentation"] = "item"
    automated_tax_line: Literal["non", "item"] = "item"
    tax_rounding: Literal["per_rate", "per_line"] = "per_line"
    country_in_answers: Literal["as_sent", "iso3"] = "iso3"
    bad_email_in_query: Literal["returned", "4002"] = "4002"
    validation_fault_status: Literal[400, 200] = 400
    order_by_two_words: bool = True
    query_url_limit: int = 8_192
    query_characters: Literal["any", "latin-1", "ascii"] = "latin-1"
    usa_characters: Literal["any", "latin-1"] = "any"
    cdc_reach: Literal["30_days", "any"] = "30_days"

    # --- quotas
    quota_enabled: bool = True
    quota_window: Literal["sliding", "fixed"] = "sliding"
    quota_per_minute: int = 500
    quota_per_second: int = 10
    quota_in_flight: int = 10
    quota_batch_per_minute: int = 40
    quota_batch_per_minute_realm: int = 120
    batch_items: int = 30
    metered_per_month: int = 500_000
    throttle_shape: Literal["gateway", "service", "xml"] = "xml"
    throttle_code: Literal["3001", "003001"] = "3001"
    throttle_status: Literal[429, 403] = 429
    throttle_retry_after: int = 0

    def __post_init__(self) -> None:
        if self.requestid_retention_seconds < MINIMUM_REQUESTID_RETENTION_SECONDS:
            raise SettingsError(
                f"requestid_retention_seconds is {self.requestid_retention_seconds}; "
                f"it cannot be less than {MINIMUM_REQUESTID_RETENTION_SECONDS}"
            )

        for name, read in (("background_trouble", background_kinds), ("background_settings", background_settings)):
            try:
                read(getattr(self, name))
            except RuleError as error:
                raise SettingsError(f"{name}: {error}") from error

    @classmethod
    def from_environment(cls, **named: Any) -> Self:
        """The switches as SIMULATOR_SETTINGS says (``switch=value,switch=value``); one that is `named` stays as named.

        :raises SettingsError: for a switch or a value that does not exist.
        """
        switches = filter(None, os.environ.get(VARIABLE, "").split(","))
        try:
            return cls().replace(read_switches(switches)).replace(named)
        except SettingsError as error:
            raise SettingsError(f"{VARIABLE}: {error}") from error

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """A copy with `changes` applied.

        :raises SettingsError: for an unknown name, a value of another type, or one that is not among the choices.
        """
        hints = get_type_hints(Settings)
        for name, value in changes.items():
            if name not in hints:
                raise SettingsError(f"no switch is called {name!r}; GET /_simulator/settings lists them")
            _check(name, value, hints[name])
        return dataclasses.replace(self, **changes)

    def as_mapping(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read_switches(switches: Iterable[str]) -> dict[str, Any]:
    """``switch=value`` → switch and value; a value is a number, true, false, or else text.

    :raises SettingsError: for what is not ``switch=value``.
    """
    hints = get_type_hints(Settings)
    found: dict[str, Any] = {}
    for switch in switches:
        name, equals, text = switch.strip().partition("=")
        if not equals:
            raise SettingsError(f"{switch!r} is not NAME=VALUE")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        hint = hints.get(name)
        found[name] = text if hint is str or str in {type(choice) for choice in get_args(hint)} else value
    return found


def choices() -> dict[str, tuple[Any, ...]]:
    """Name of each switch with a closed set of values → those values, the default first."""
    hints = get_type_hints(Settings)
    found: dict[str, tuple[Any, ...]] = {}
    for field in dataclasses.fields(Settings):
        hint = hints[field.name]
        values = (False, True) if hint is bool else get_args(hint) if get_origin(hint) is Literal else ()
        if values:
            found[field.name] = (field.default, *(value for value in values if value != field.default))
    return found


# Where a number is open: another that Intuit may hold to. A limit that Intuit publishes is not open.
_OTHERS: Mapping[str, tuple[int | str, ...]] = {
    "background_trouble": (ALL,),
    "name_write_milliseconds": (30,),
    "requestid_retention_seconds": (MINIMUM_REQUESTID_RETENTION_SECONDS,),
    "refresh_token_seconds": (8_726_400,),
    "rotation_seconds": (0,),
    "rotation_grace_seconds": (3_600,),
    "concurrent_refresh_seconds": (10,),
    "code_seconds": (60,),
    "custom_field_length": (1_000,),
    "amount_tolerance_cents": (1,),
    "query_url_limit": (2_000,),
    "batch_items": (10,),
    "throttle_retry_after": (2,),
}
_NOT_INTUITS = {
    "background_settings",
    "background_per_thousand",
    "background_seed",
    "quota_enabled",
    "open_registration",
}


def others() -> Mapping[str, tuple[int | str, ...]]:
    """Name of each switch without a closed set of values → the other values that are tried."""
    return _OTHERS


def unknowns() -> dict[str, tuple[Any, ...]]:
    """Name of each switch for what nobody outside Intuit knows → the values to be safe under, the default first."""
    defaults = Settings().as_mapping()
    numbers = {name: (defaults[name], *values) for name, values in _OTHERS.items()}
    return {name: values for name, values in {**choices(), **numbers}.items() if name not in _NOT_INTUITS}


_SPOKEN = {bool: "true or false", int: "a whole number", str: "text"}


def _check(name: str, value: object, hint: Any) -> None:
    if get_origin(hint) is Literal:
        if value not in get_args(hint) or isinstance(value, bool):
            raise SettingsError(f"{name} is {value!r}; it can be one of {list(get_args(hint))}")
    elif type(value) is not hint:
        raise SettingsError(f"{name} is {value!r}; it must be {_SPOKEN[hint]}")
    elif hint is int and isinstance(value, int) and value < 0:
        raise SettingsError(f"{name} is {value}; it cannot be negative")
