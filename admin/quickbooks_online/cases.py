"""Records and their links as the mapping takes them, so that the admin shows what the pipeline would do. Calls nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from admin.quickbooks_online.models import Link, Record
from mapping.cases import Case, Party, needed_party
from mapping.decisions import Decision
from mapping.judgement import judge
from mapping.results import PartyKey
from schemas.company import CompanyFacts, Configuration, Standing
from schemas.events import Client, Kind, Project
from schemas.events import Record as KompassRecord
from schemas.jsonlines import record_from_json
from schemas.link_state import LinkState
from schemas.observed import Observed
from store.companies import read_configuration, read_facts
from store.links import READ


@dataclass(frozen=True, slots=True)
class Company:
    configuration: Configuration
    facts: CompanyFacts


def read_company(db: Connection, org_id: str) -> Company | None:
    """Give an Org's configuration with its company's facts; None when either is missing."""
    configuration = read_configuration(db, org_id)
    if configuration is None or configuration.realm_id is None:
        return None
    facts = read_facts(db, [configuration.realm_id]).get(configuration.realm_id)
    return None if facts is None else Company(configuration, facts)


def kompass_record(row: Record) -> KompassRecord:
    return record_from_json(Kind(row.kind), row.body)


def standing_of(link: Link) -> Standing:
    """What QBO has of a link, as `store.links.Link.standing` gives it."""
    return Standing(
        qbo_id=link.qbo_id,
        entity=link.entity or None,
        sync_token=link.sync_token,
        applied=link.applied,
        line_ids=tuple(link.line_ids),
        name=link.name or None,
        currency=link.currency,
        voided=link.voided,
        qbo_total=link.qbo_total,
        qbo_tax=link.qbo_tax,
        observed=None if link.observed is None else Observed(link.observed),
        by_hand=tuple(link.by_hand),
        kept=tuple(link.kept),
        fresh=link.state == LinkState.PENDING and link.cause == READ,
        name_override=link.name_override or None,
        refresh_names=link.refresh_names,
        overwrite=link.overwrite,
    )


@dataclass(frozen=True, slots=True)
class Judged:
    link: Link
    case: Case
    decision: Decision
    assumed: str = ""
    """What the preview takes for granted: that the customer exists by then."""


def judge_links(
    links: Sequence[Link], company: Company, *, refresh_names: bool = False, enabled: bool = False
) -> list[Judged]:
    """Judge these links of one Org as the pipeline would now. What a record waits for is taken as done.

    ``enabled`` and ``refresh_names`` ask what would happen if the Configuration were enabled, or an edited template applied.
    """
    if not links:
        return []
    org_id = company.configuration.org_id
    rows = _records(org_id, [(link.kind, link.kompass_id) for link in links])
    cases: list[tuple[Link, Case]] = []
    configuration = replace(company.configuration, enabled=True) if enabled else company.configuration
    for link in links:
        row = rows.get((link.kind, link.kompass_id))
        if row is None:
            continue
        record = kompass_record(row)
        standing = standing_of(link)
        if refresh_names:
            standing = replace(standing, refresh_names=True)
        cases.append(
            (
                link,
                Case(
                    record=record,
                    configuration=configuration,
                    facts=company.facts,
                    standing=standing,
                    deleted=row.deleted,
                    billing_client=_billing_client(org_id, link, record),
                ),
            )
        )
    needed = {link.pk: needed_party(case) for link, case in cases}
    parties = _find_parties(cases[0][0].realm_id, [key for key in needed.values() if key is not None]) if cases else {}
    return [_with_party(link, case, needed[link.pk], parties) for link, case in cases]


def _records(org_id: str, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Record]:
    by_kind: dict[str, list[str]] = {}
    for kind, kompass_id in keys:
        by_kind.setdefault(kind, []).append(kompass_id)
    return {
        (row.kind, row.kompass_id): row
        for kind, ids in by_kind.items()
        for row in Record.objects.filter(org_id=org_id, kind=kind, kompass_id__in=ids).only(
            "kind", "kompass_id", "body", "deleted"
        )
    }


def _billing_client(org_id: str, link: Link, record: KompassRecord) -> Client | None:
    if not isinstance(record, Project):
        return None
    if not link.party_id or record.billing_client.id == link.party_id:
        return record.billing_client
    row = Record.objects.filter(org_id=org_id, kind="client", kompass_id=link.party_id).first()
    found = kompass_record(row) if row is not None else None
    return found if isinstance(found, Client) else record.billing_client


def _with_party(
    link: Link, case: Case, key: PartyKey | None, parties: Mapping[tuple[str, str, str], Sequence[Link]]
) -> Judged:
    if key is None:
        return Judged(link, case, judge(case))
    held = parties.get((key.kind.value, key.kompass_id, key.party_id), ())
    # The one of its currency, before one whose currency nobody has fixed yet.
    party = next((one for currency in (key.currency, "") for one in held if one.currency == currency), None)
    assumed = ""
    if party is not None and party.qbo_id:
        found = Party(key, qbo_id=party.qbo_id, state=party.state, cause=party.cause, reason=party.reason)
    elif party is not None and _stuck(party):
        found = Party(key, state="failed", cause=party.cause, reason=party.reason)
    else:
        label = (party.name or party.reference) if party is not None else key.kompass_id
        what = "customer" if key.kind is Kind.CLIENT else "sub-customer"
        assumed = f"The {what} {label or key.kompass_id} is not in QuickBooks yet: it is sent first."
        found = Party(key, qbo_id="(new)", state="synced")
    with_party = replace(case, party=found)
    return Judged(link, with_party, judge(with_party), assumed)


def _stuck(party: Link) -> bool:
    """Whether somebody has to mend something before the customer or job can be in QuickBooks."""
    return party.state == "failed" or (party.state == "waiting" and party.cause.startswith("dependency:"))


def _find_parties(realm_id: str, keys: Iterable[PartyKey]) -> dict[tuple[str, str, str], list[Link]]:
    ids: dict[str, set[str]] = {}
    for key in keys:
        ids.setdefault(key.kind.value, set()).add(key.kompass_id)
    found: dict[tuple[str, str, str], list[Link]] = {}
    for kind, wanted in ids.items():
        links = Link.objects.filter(realm_id=realm_id, kind=kind, kompass_id__in=wanted).defer("applied", "observed")
        for link in links:
            found.setdefault((link.kind, link.kompass_id, link.party_id), []).append(link)
    return found
