"""First link-up: what a company has already and which records it may be, for a person to confirm in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst

from admin.quickbooks_online.companies import Company, error_of
from admin.quickbooks_online.models import Configuration, History, Link
from admin.quickbooks_online.runtime import engine
from mapping.decisions import Fail
from mapping.matching import Match
from qbo_client.errors import ReadFailed
from qbo_client.queries import iterate, one_of
from schemas.link_state import LinkState
from store import companies as stored_companies
from store import inventory
from store.engine import retrying
from store.inventory import Inventory
from store.searching import links_by_id
from sync import by_hand
from sync.by_hand import CannotLink, send_as_another
from sync.companies import read_company
from sync.decide import predict
from sync.inventory import EXISTS, keep, look_through

SHOWN: Final = 500
"""Records that are offered at once."""
AT_ONCE: Final = 500
"""Links that are in memory at a time."""
IDS_AT_ONCE: Final = 200
_LEASE_S: Final = 120.0
_CLOSED: Final = (LinkState.SYNCED, LinkState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A record of Kompass and something in QuickBooks that it may be."""

    link_id: int
    kind: str
    reference: str
    match: Match
    ticked: bool
    """Everything agrees, and neither side matches anything else but by total and date."""

    @property
    def pair(self) -> str:
        return f"{self.link_id}:{self.match.existing.entity}:{self.match.existing.qbo_id}"

    @property
    def words(self) -> str:
        return "everything agrees" if self.match.sure else "; ".join(self.match.differs)


def inventory_of(configuration: Configuration) -> Inventory | None:
    """Give how far the company was looked through; None where nobody asked for it."""
    with engine().begin() as db:
        return inventory.read_inventory(db, configuration.realm_id or "")


def start_looking(configuration: Configuration) -> Inventory:
    """Look through the company: the first thousands now, the rest by the consumers. A metered read for each thousand.

    One that was looked through is read again for what changed since: three metered reads.

    Raises
    ------
    CompanyError
    """
    realm_id = configuration.realm_id or ""
    with engine().begin() as db:
        # One reads at a time; the consumers may be at it already. Facts before the configuration, whose version the question raises.
        mine = stored_companies.take_facts_lease(db, realm_id=realm_id, seconds=_LEASE_S)
        inventory.ask(db, realm_id)
        page = inventory.next_page(db, realm_id, older_than=timedelta(0))
    try:
        if mine and page is not None:
            looked = look_through(Company(realm_id).send, page)
            with engine().begin() as db:
                stored_companies.release_facts_lease(db, realm_id=realm_id)
                keep(db, realm_id, page, looked)
    except ReadFailed as error:
        raise error_of(error.outcome) from error
    finally:
        if mine:
            with engine().begin() as db:
                stored_companies.release_facts_lease(db, realm_id=realm_id)
    found = inventory_of(configuration)
    assert found is not None
    return found


def suggestions(configuration: Configuration, only: Collection[int] | None = None) -> list[Suggestion]:
    """Give the records that are not in QuickBooks through us, and what was there before that they may be."""
    with engine().begin() as db:
        company = read_company(db, configuration.org_id)
    if company is None or company.facts is None or company.known_at is None:
        return []
    # What is not enabled yet is shown as it will be.
    company = replace(company, configuration=replace(company.configuration, enabled=True))
    links = Link.objects.filter(
        realm_id=configuration.realm_id, org_id=configuration.org_id, qbo_id__isnull=True
    ).exclude(state__in=_CLOSED)
    if only is not None:
        links = links.filter(pk__in=only)
    found: list[tuple[int, str, str, tuple[Match, ...]]] = []
    ids = list(links.order_by("kind", "pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        with engine().begin() as db:
            known = links_by_id(db, ids[start : start + AT_ONCE])
            for one in predict(db, [(link, company) for link in known.values()]):
                decision = one.outcome
                if isinstance(decision, Fail) and decision.matches and decision.problems[0].cause in EXISTS:
                    link = one.link
                    found.append((link.id, link.kind.value, link.reference, decision.matches))
        if len(found) >= SHOWN:
            break
    taken = Counter(
        (one.existing.entity, one.existing.qbo_id) for *_, matches in found for one in matches if not one.by_total
    )
    return [
        Suggestion(
            link_id,
            kind,
            reference,
            one,
            ticked=one.sure
            and sum(not rival.by_total for rival in matches) == 1
            and taken[one.existing.entity, one.existing.qbo_id] == 1,
        )
        for link_id, kind, reference, matches in found
        for one in matches
    ]


def take_over(configuration: Configuration, pairs: Iterable[str], *, by: str) -> tuple[int, list[str]]:
    """Link the confirmed pairs; gives how many, and what could not be done. A metered read for each 200 of a kind.

    Raises
    ------
    CompanyError
    """
    chosen = set(pairs)
    offered = suggestions(configuration, _link_ids(chosen))
    wanted = {one.pair: one for one in offered if one.pair in chosen}
    documents = dict(_read(configuration, wanted.values()))
    count, problems = 0, _no_longer_waiting(configuration, _link_ids(chosen) - {one.link_id for one in offered})
    for one in wanted.values():
        existing = one.match.existing
        document = documents.get((existing.entity, existing.qbo_id))
        if document is None:
            problems.append(f"{existing.entity} {existing.name or existing.qbo_id} is not in QuickBooks any more.")
            continue
        try:
            _link(one.link_id, existing.entity, document, by=by)
        except CannotLink as problem:
            problems.append(str(problem))
        else:
            count += 1
    gone = [one.match.existing for one in wanted.values() if _key(one) not in documents]
    with engine().begin() as db:
        for entity in {one.entity for one in gone}:
            ids = [one.qbo_id for one in gone if one.entity == entity]
            inventory.forget(db, configuration.realm_id or "", entity, ids)
    return count, problems


def _link(link_id: int, entity: str, document: Mapping[str, Any], *, by: str) -> None:
    retrying(engine(), lambda db: by_hand.take_over(db, link_id, entity, document, by=by))


def _key(one: Suggestion) -> tuple[str, str]:
    return one.match.existing.entity, one.match.existing.qbo_id


def _read(
    configuration: Configuration, wanted: Collection[Suggestion]
) -> Iterator[tuple[tuple[str, str], dict[str, object]]]:
    company = Company(configuration.realm_id or "")
    for entity in inventory.ENTITIES:
        ids = sorted({qbo_id for kind, qbo_id in map(_key, wanted) if kind == entity})
        for start in range(0, len(ids), IDS_AT_ONCE):
            try:
                for row in iterate(company.send, entity, one_of("Id", ids[start : start + IDS_AT_ONCE])):
                    yield (entity, str(row["Id"])), row
            except ReadFailed as error:
                raise error_of(error.outcome) from error


def send_as_others(configuration: Configuration, pairs: Iterable[str], *, by: str) -> tuple[int, list[str]]:
    """Have the records of these pairs sent as new ones: what QuickBooks has is another one. Gives how many, and what could not be done."""
    ids = _link_ids(pairs)
    waiting = {one.link_id for one in suggestions(configuration, ids)}
    count = retrying(engine(), lambda db: send_as_another(db, waiting, by=by))
    return count, _no_longer_waiting(configuration, ids - waiting)


def _no_longer_waiting(configuration: Configuration, ids: Collection[int]) -> list[str]:
    """Say of records that no longer wait for a decision why, and since when."""
    said = []
    for link in Link.objects.filter(pk__in=ids, realm_id=configuration.realm_id).defer("applied", "observed"):
        last = History.objects.filter(link_id=link.pk, what="due").order_by("-pk").first()
        what = f": {last.message}, {date_format(timezone.localtime(last.at), 'j M Y, H:i')}" if last is not None else ""
        said.append(f"{capfirst(link.kind)} {link} no longer waits for a decision{what}. Your choice was not saved.")
    return said


def _link_ids(pairs: Iterable[str]) -> set[int]:
    return {int(head) for one in pairs if (head := one.partition(":")[0]).isdecimal()}


def taken_over(configuration: Configuration) -> list[Link]:
    """Give what was linked by a person, newest first."""
    return list(
        Link.objects.filter(realm_id=configuration.realm_id, adopted=True).order_by("-synced_at", "-pk")[:SHOWN]
    )


def remove(configuration: Configuration, link_id: int, *, by: str) -> None:
    """Take a link that a person made back.

    Raises
    ------
    CannotLink
    """
    if not Link.objects.filter(pk=link_id, realm_id=configuration.realm_id).exists():
        raise CannotLink("The link is gone.")
    retrying(engine(), lambda db: by_hand.unlink(db, link_id, by=by))
