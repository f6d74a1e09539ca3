"""What the admin configured for a company and what Intuit says of it, in the shape the mapping takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, case, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from schemas.company import (
    BilledTax,
    CompanyFacts,
    Configuration,
    CustomField,
    ExchangeRates,
    ItemService,
    Locale,
    TaxAmounts,
)
from schemas.link_state import LinkState
from store.sql import Statement
from store.tables import (
    company_facts,
    configuration,
    custom_field,
    department,
    department_class,
    difference,
    item_service,
    link,
    org,
    service,
    tax_code_vat_rate,
    vat_rate,
)

SWEEP_TIMEOUT_MS = 10 * 60_000
"""For the statements that make the links of a whole company due; `store.engine` bounds all others."""


@dataclass(frozen=True, slots=True)
class ConfigurationVersion:
    id: int
    org_id: str
    realm_id: str | None
    version: int
    facts_fetched_at: dt.datetime | None = None
    """When the facts of its company were fetched; None while there are none."""
    refetch_at: dt.datetime | None = None
    """From when on they are to be fetched again, although they are not old."""


def hold_versions(db: Connection, org_ids: Iterable[str]) -> dict[str, ConfigurationVersion]:
    """Give the versions of these Orgs' configurations, which cannot change until the transaction ends.

    So no claim decides by a configuration older than one that is already saved, and the sweep that follows a save sees every
    decision made before it.
    """
    return {row.org_id: ConfigurationVersion(*row) for row in _HOLD_VERSIONS.rows(db, orgs=sorted(org_ids))}


_HOLD_VERSIONS = Statement(
    "SELECT c.id, c.org_id, c.realm_id, c.version, f.fetched_at AS facts_fetched_at, f.refetch_at FROM qbo_configuration c"
    " LEFT JOIN qbo_company_facts f ON f.realm_id = c.realm_id"
    " WHERE c.org_id = ANY(%(orgs)s::text[]) ORDER BY c.id FOR SHARE OF c"
)


def read_configuration(db: Connection, org_id: str) -> Configuration | None:
    """Give one Org's configuration with its mapping tables; None when it has none."""
    return read_configurations(db, [org_id]).get(org_id)


def read_configurations(db: Connection, org_ids: Iterable[str]) -> dict[str, Configuration]:
    """Give the configurations of these Orgs with their mapping tables, for those that have one: in a handful of statements for all."""
    found = db.execute(
        select(configuration, org.c.name.label("org_name"))
        .join(org, org.c.id == configuration.c.org_id)
        .where(configuration.c.org_id.in_(sorted(org_ids)))
    ).all()
    ids = [row.id for row in found]

    def rows(table: Any, *columns: Any, join: tuple[Any, Any] | None = None) -> dict[int, list[Any]]:
        """Rows by configuration, of the company that is linked now."""
        query = select(table.c.configuration_id, *columns).where(
            table.c.configuration_id == configuration.c.id,
            table.c.realm_id == func.coalesce(configuration.c.realm_id, ""),
            configuration.c.id.in_(ids),
        )
        if join is not None:
            query = query.join_from(table, join[0], join[1])
        of: dict[int, list[Any]] = {}
        for row in db.execute(query.order_by(table.c.id)) if ids else ():
            of.setdefault(row.configuration_id, []).append(row)
        return of

    items = rows(
        item_service, service.c.kompass_id, item_service.c.item_id, item_service.c.class_id,
        join=(service, service.c.id == item_service.c.service_id),
    )  # fmt: skip
    classes = rows(
        department_class, department.c.kompass_id, department_class.c.class_id,
        join=(department, department.c.id == department_class.c.department_id),
    )  # fmt: skip
    codes = rows(
        tax_code_vat_rate, vat_rate.c.kompass_id, tax_code_vat_rate.c.tax_code_id,
        join=(vat_rate, vat_rate.c.id == tax_code_vat_rate.c.vat_rate_id),
    )  # fmt: skip
    fields = rows(custom_field, custom_field.c.definition_id, custom_field.c.name, custom_field.c.template)
    return {
        row.org_id: Configuration(
            org_id=row.org_id,
            org_name=row.org_name,
            version=row.version,
            realm_id=row.realm_id,
            enabled=row.enabled,
            start_date=row.start_date,
            project_customers=row.project_customers,
            client_name_template=row.client_name_template,
            project_name_template=row.project_name_template,
            doc_number_template=row.doc_number_template,
            currency_name_template=row.currency_name_template,
            locale=Locale(row.locale),
            billed_tax=BilledTax(row.billed_tax),
            tax_item_id=row.tax_item_id or None,
            tax_amounts=TaxAmounts(row.tax_amounts),
            exchange_rates=ExchangeRates(row.exchange_rates),
            vat_numbers=row.vat_numbers,
            default_item_id=row.default_item_id or None,
            default_class_id=row.default_class_id or None,
            item_services={
                one.kompass_id: ItemService(one.item_id, one.class_id or None) for one in items.get(row.id, ())
            },
            department_classes={one.kompass_id: one.class_id for one in classes.get(row.id, ())},
            tax_codes={one.kompass_id: one.tax_code_id for one in codes.get(row.id, ())},
            custom_fields=tuple(
                CustomField(one.definition_id, one.name, one.template) for one in fields.get(row.id, ())
            ),
        )
        for row in found
    }


_PERIOD = ("percent", "first", "last")
_APART = ("realm_id", "fetched_at")
"""Members that have columns of their own."""


def facts_to_json(facts: CompanyFacts) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(facts)
    body = {name: value for name, value in body.items() if name not in _APART}
    for code in body["tax_codes"].values():
        for rate in code["rates"]:
            rate["periods"] = [[one[name] for name in _PERIOD] for one in rate["periods"]]
    return {**body, "tax_codes": list(body["tax_codes"].values())}


def facts_from_json(realm_id: str, fetched_at: dt.datetime, body: Mapping[str, Any]) -> CompanyFacts:
    codes = {code["id"]: {**code, "rates": [_rate(one) for one in code.get("rates", ())]} for code in body["tax_codes"]}
    return msgspec.convert({**body, "tax_codes": codes, "realm_id": realm_id, "fetched_at": fetched_at}, CompanyFacts)


def _rate(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "periods": [dict(zip(_PERIOD, one, strict=True)) for one in body["periods"]]}


def read_facts(db: Connection, realm_ids: Iterable[str]) -> dict[str, CompanyFacts]:
    """Give the newest snapshot of each company, for those that have one."""
    rows = db.execute(select(company_facts).where(company_facts.c.realm_id.in_(sorted(realm_ids))))
    return {row.realm_id: facts_from_json(row.realm_id, row.fetched_at, row.body) for row in rows if row.body}


def take_facts_lease(db: Connection, *, realm_id: str, seconds: float) -> bool:
    """Become the one who fetches a company's facts; False when somebody else is at it."""
    db.execute(insert(company_facts).values(realm_id=realm_id, body={}).on_conflict_do_nothing())
    return (
        db.execute(
            update(company_facts)
            .where(
                company_facts.c.realm_id == realm_id,
                or_(company_facts.c.lease_until.is_(None), company_facts.c.lease_until < func.now()),
            )
            .values(lease_until=func.now() + timedelta(seconds=seconds))
        ).rowcount
        == 1
    )


def release_facts_lease(db: Connection, *, realm_id: str) -> None:
    """Let somebody else try: the facts could not be fetched."""
    db.execute(update(company_facts).where(company_facts.c.realm_id == realm_id).values(lease_until=None))


def store_facts(db: Connection, facts: CompanyFacts) -> None:
    """Keep a fresh snapshot. The database raises the configuration's version if it says anything new."""
    values = {"fetched_at": facts.fetched_at, "body": facts_to_json(facts), "lease_until": None, "refetch_at": None}
    statement = insert(company_facts).values(realm_id=facts.realm_id, **values)
    unchanged = company_facts.c.body == statement.excluded.body
    db.execute(statement.on_conflict_do_update(index_elements=["realm_id"], set_={**values, "unchanged": unchanged}))


REFETCH_UNCHANGED_AFTER = timedelta(hours=1)
"""An answer that contradicts facts which were fetched for the same reason, and said nothing new, has another reason."""


def mark_facts_stale(db: Connection, realm_id: str, *, asked: bool = False) -> bool:
    """Have the facts of a company fetched again (four metered reads) before anything is decided there; gives whether that is now.

    :param asked: a person wants it now. Without, a company whose last fetch said nothing new is fetched again once an hour at most,
        however many of its answers contradict its facts.
    """
    at = case(
        (
            and_(company_facts.c.unchanged, literal(not asked)),
            func.greatest(func.now(), company_facts.c.fetched_at + REFETCH_UNCHANGED_AFTER),
        ),
        else_=func.now(),
    )
    marked = update(company_facts).where(company_facts.c.realm_id == realm_id)
    marked = marked.values(refetch_at=func.least(company_facts.c.refetch_at, at))
    return bool(db.execute(marked.returning(company_facts.c.refetch_at <= func.now())).scalar())


def realms_refused(db: Connection, link_ids: Collection[int], *, causes: Collection[str]) -> set[str]:
    """Give the companies of those links that failed for one of these causes, were not taken as sent, or were taken back in Kompass."""
    failed = and_(link.c.state == LinkState.FAILED, func.split_part(link.c.cause, ":", 1).in_(sorted(causes)))
    not_taken = exists().where(
        difference.c.link_id == link.c.id,
        difference.c.kompass_total.is_(None),
        difference.c.cause != "difference:left-out",
    )
    asks = or_(failed, not_taken, link.c.state == LinkState.WITHDRAWN)
    return set(db.scalars(select(link.c.realm_id).where(link.c.id.in_(sorted(link_ids)), asks).distinct()))


def facts_are_stale(db: Connection, realm_id: str, *, older_than: timedelta) -> bool:
    """Whether the facts of a company are to be fetched: there are none, they are old, or somebody wants them again."""
    fresh = db.execute(
        select(company_facts.c.realm_id).where(
            company_facts.c.realm_id == realm_id,
            company_facts.c.body != text("'{}'::jsonb"),
            company_facts.c.fetched_at > func.now() - older_than,
            or_(company_facts.c.refetch_at.is_(None), company_facts.c.refetch_at > func.now()),
        )
    )
    return fresh.scalar() is None


def changed(db: Connection) -> list[int]:
    """Give the ids of the configurations that changed since they were last carried into their links."""
    return [row.id for row in _CHANGED.rows(db)]


_CHANGED = Statement(
    # Every process asks every few seconds, so all Orgs are read once, and not once for the new ones and once for the changed ones.
    "WITH behind AS (SELECT c.id, s.configuration_id IS NULL AS is_new"
    " FROM qbo_configuration c LEFT JOIN qbo_sweep s ON s.configuration_id = c.id WHERE s.version IS NULL OR s.version < c.version),"
    # Rows for new ones here, in a transaction that is over at once: in the sweep's own, a second process would wait for it.
    " made AS (INSERT INTO qbo_sweep (configuration_id, version, realm_id)"
    " SELECT id, 0, '' FROM behind WHERE is_new ON CONFLICT DO NOTHING)"
    " SELECT id FROM behind ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class ChangedConfiguration:
    org_id: str
    version: int
    realm_id: str | None
    relinked: bool
    """Its company was linked, or linked away and back, since the last time: it missed what changed meanwhile."""


def take_change(db: Connection, configuration_id: int) -> ChangedConfiguration | None:
    """Take one configuration that `changed` gave, to carry it into its links; None when another process does or did."""
    row = db.execute(
        text(
            "SELECT c.org_id, c.version, c.realm_id,"
            " s.realm_id IS DISTINCT FROM c.realm_id OR s.version < c.realm_version AS relinked FROM qbo_sweep s"
            " JOIN qbo_configuration c ON c.id = s.configuration_id"
            " WHERE s.configuration_id = :id AND s.version < c.version FOR UPDATE OF s SKIP LOCKED"
        ),
        {"id": configuration_id},
    ).one_or_none()
    if row is None:
        return None
    db.execute(
        text("UPDATE qbo_sweep SET version = :version, realm_id = :realm WHERE configuration_id = :id"),
        {"id": configuration_id, "version": row.version, "realm": row.realm_id or ""},
    )
    return ChangedConfiguration(*row)


def take_over_links(db: Connection, *, org_id: str, realm_id: str) -> None:
    """Make this the Org of a newly linked company, and close what waits for a person in the company that was linked before."""
    db.execute(
        text(
            "UPDATE qbo_failure SET closed_at = now(), closed_because = 'another company is linked'"
            " WHERE org_id = :org AND realm_id NOT IN (:realm, '') AND closed_at IS NULL"
        ),
        {"org": org_id, "realm": realm_id},
    )
    # The former Org's clients, of which some are this one's too, have links in the company under the same Kompass ids.
    db.execute(
        text(
            "UPDATE qbo_link SET org_id = :org WHERE id IN (SELECT l.id FROM qbo_link l WHERE l.realm_id = :realm"
            " AND l.org_id <> :org AND EXISTS (SELECT 1 FROM qbo_record r WHERE r.org_id = :org AND r.kind = l.kind"
            " AND r.kompass_id = l.kompass_id) ORDER BY l.id FOR UPDATE OF l)"
        ),
        {"realm": realm_id, "org": org_id},
    )
