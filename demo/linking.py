"""Sets up the demo's Orgs as an admin would: Configuration, connection, mappings; straight into the database."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from demo.rules import OrgRules
from qbo_client.calls import Call
from qbo_client.company_facts import fetch_classes, fetch_items, fetch_tax_codes
from qbo_client.oauth import OAuthApp, TokenSet
from qbo_client.outcomes import Outcome, Throttled
from qbo_client.queries import Send
from qbo_client.transport import Transport
from schemas.events import Client, Event, Invoice
from store.connections import link_company
from store.secrets import TokenKeys
from store.tables import (
    configuration,
    custom_field,
    department,
    department_class,
    item_service,
    org,
    service,
    tax_code_vat_rate,
    vat_rate,
)
from sync.tokens import tokens_of

_DEADLINE_S = 30.0
_TRIES = 10
_LIMIT_WINDOW_S = 1.1


@dataclass(slots=True)
class OrgNames:
    """The Services, Departments and VAT rates that an Org's events name, by Kompass id."""

    name: str = ""
    services: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name, and the id of the department (or an empty text)."""
    departments: dict[str, str] = field(default_factory=dict)
    vat_rates: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Name and percent."""


def names_by_org(events: Iterable[Event]) -> dict[str, OrgNames]:
    """Org id → what its events name."""
    found: dict[str, OrgNames] = {}
    for event in events:
        record = event.object
        for one in record.orgs if isinstance(record, Client) else (record.org,):
            found.setdefault(one.id, OrgNames()).name = one.name
        if not isinstance(record, Invoice):
            continue
        names = found[record.org.id]
        for line in record.lines:
            if line.service is not None:
                place = line.service.department
                if place is not None:
                    names.departments[place.id] = place.name
                names.services[line.service.id] = (line.service.name, place.id if place is not None else "")
            rate = line.vat_rate
            names.vat_rates["" if rate is None else rate.id] = (
                ("no VAT rate", None) if rate is None else (rate.name, str(rate.rate))
            )
    return found


def authorize(simulator: str, app: OAuthApp, *, client_id: str, realm_id: str, redirect_uri: str) -> TokenSet:
    """Sign in at the simulator as the company's admin would at Intuit, and exchange the code."""
    body = json.dumps({"realm": realm_id, "client_id": client_id, "redirect_uri": redirect_uri}).encode()
    request = urllib.request.Request(f"{simulator}/_simulator/authorize", data=body, method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=_DEADLINE_S) as answer:  # noqa: S310 - the simulator's address
        code = json.loads(answer.read())["code"]
    return app.exchange_code(code=code, redirect_uri=redirect_uri)


def sender(transport: Transport, realm_id: str, access_token: str) -> Send:
    """A way to read one company beside the consumers, who do not know of it: the company's limit of ten calls a second may
    be used up by them, so a refused read is tried again a second later."""

    def send(call: Call) -> Outcome:
        for _ in range(_TRIES):
            outcome = transport.send(realm_id, access_token, call, deadline=_DEADLINE_S)
            if not isinstance(outcome, Throttled):
                break
            time.sleep(_LIMIT_WINDOW_S)
        return outcome

    return send


def set_up(
    engine: Engine,
    keys: TokenKeys,
    *,
    rules: OrgRules,
    names: OrgNames,
    tokens: TokenSet,
    send: Send,
    recipients: list[str],
) -> None:
    """Write one Org's Configuration, connection and mappings, enabled."""
    items = {one.name: one.id for one in fetch_items(send)}
    classes = {one.name: one.id for one in fetch_classes(send)}
    codes = {one.name: one.id for one in fetch_tax_codes(send)}
    with engine.begin() as db:
        db.execute(insert(org).values(id=rules.org_id, name=names.name or rules.org_id).on_conflict_do_nothing())
        configuration_id = db.execute(
            insert(configuration)
            .values(
                org_id=rules.org_id,
                enabled=True,
                start_date=rules.start_date,
                notification_recipients=recipients,
                project_customers=rules.project_customers,
                locale=rules.locale,
                realm_id=rules.realm_id,
                default_item_id=items[rules.default_item],
                default_class_id=classes[rules.default_class] if rules.default_class else "",
            )
            .returning(configuration.c.id)
        ).scalar_one()
        link_company(
            db,
            keys,
            configuration_id=configuration_id,
            realm_id=rules.realm_id,
            company_name=rules.company,
            tokens=tokens_of(tokens),
        )
        _map(db, configuration_id, rules, names, items=items, classes=classes, codes=codes)


def _map(
    db: Connection,
    configuration_id: int,
    rules: OrgRules,
    names: OrgNames,
    *,
    items: Mapping[str, str],
    classes: Mapping[str, str],
    codes: Mapping[str, str],
) -> None:
    ours = {"configuration_id": configuration_id, "realm_id": rules.realm_id}
    for kompass_id, name in names.departments.items():
        row_id = _remember(db, department, rules.org_id, kompass_id, {"name": name})
        if name in rules.classes:
            wanted = rules.classes[name]
            db.execute(
                insert(department_class).values(
                    **ours, department_id=row_id, class_id=classes[wanted], class_name=wanted
                )
            )
    for kompass_id, (name, department_id) in names.services.items():
        row_id = _remember(
            db, service, rules.org_id, kompass_id, {"name": name, "department_kompass_id": department_id}
        )
        if name in rules.items:
            wanted, own_class = rules.items[name], rules.item_classes.get(name)
            db.execute(
                insert(item_service).values(
                    **ours,
                    service_id=row_id,
                    item_id=items[wanted],
                    item_name=wanted,
                    class_id=classes[own_class] if own_class else "",
                    class_name=own_class or "",
                )
            )
    for kompass_id, (name, percent) in names.vat_rates.items():
        row_id = _remember(db, vat_rate, rules.org_id, kompass_id, {"name": name, "rate": percent})
        if kompass_id in rules.tax_codes:
            wanted = rules.tax_codes[kompass_id]
            db.execute(
                insert(tax_code_vat_rate).values(
                    **ours, vat_rate_id=row_id, tax_code_id=codes[wanted], tax_code_name=wanted
                )
            )
    for definition_id, (name, template) in rules.custom_fields.items():
        db.execute(insert(custom_field).values(**ours, definition_id=definition_id, name=name, template=template))


def _remember(db: Connection, table: Any, org_id: str, kompass_id: str, values: Mapping[str, object]) -> int:
    """Note what an event named, as ingest does; gives the row's id."""
    db.execute(insert(table).values(org_id=org_id, kompass_id=kompass_id, **values).on_conflict_do_nothing())
    found = db.execute(select(table.c.id).where(table.c.org_id == org_id, table.c.kompass_id == kompass_id))
    return int(found.scalar_one())
