"""Exchange rates for the documents of a claim, and reading those that nobody has read yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection

from mapping.rates import RateKey, needed_rate
from qbo_client.exchange_rates import fetch_rate
from qbo_client.queries import Send
from store import exchange_rates
from store.links import Link
from sync.case_loader import RecordCase


def with_rates(db: Connection, links: Mapping[int, Link], cases: Mapping[int, RecordCase]) -> dict[int, RecordCase]:
    """Give the cases with the rates that are known; one that needs another will wait for it (`mapping.rates`)."""
    wanted: dict[str, set[RateKey]] = {}
    for link_id, one in cases.items():
        if (key := needed_rate(one.case)) is not None:
            wanted.setdefault(links[link_id].realm_id, set()).add(key)
    known = {realm_id: exchange_rates.read_rates(db, realm_id, keys) for realm_id, keys in wanted.items()}
    return {
        link_id: replace(one, case=replace(one.case, rates=known.get(links[link_id].realm_id, {})))
        for link_id, one in cases.items()
    }


def read_wanted(keys: list[RateKey], send: Send) -> dict[RateKey, Decimal | None]:
    """Read rates from QuickBooks, one metered read each. Raises `qbo_client.errors.ReadFailed`."""
    return {(currency, day): fetch_rate(send, currency, day) for currency, day in keys}
