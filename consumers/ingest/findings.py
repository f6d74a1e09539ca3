"""What one event says: the records in it, for every Org they belong to, and the names worth remembering; and what was said lately."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from sys import intern
from typing import Generic, TypeVar

from schemas.events import Action, Client, Event, Invoice, InvoiceLine, Kind, Project, Record
from store.records import RecordKey, Remembered, SeenRecord, SourceEvent

# What people search for is indexed, and an index entry is small: a name's beginning will do.
_REFERENCE = 200

_KINDS = {kind.value: kind for kind in Kind}

Known = Callable[[RecordKey], int | None]
"""The newest sequence of a record that is durable, as far as it is remembered."""


K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps at least the newest ``most / 2`` entries and at most ``most``, in two halves: a full one is dropped as a whole.

    A dict from which the oldest entry is taken for each new one keeps the gaps, and is rebuilt, at twice its size, each time these
    have used it up: with 200,000 entries after 349,525 insertions, and again 499,000 later, which shows as a step in the memory of the
    process. One thread puts; others may get meanwhile, and at worst miss what was just put.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._newer: dict[K, V] = {}
        self._older: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self._newer.get(key)
        return self._older.get(key) if found is None else found

    def put(self, key: K, value: V) -> None:
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, {}
        self._newer[key] = value

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)


def records_in(event: Event, source: SourceEvent) -> Iterator[SeenRecord]:
    """Give every record of an event, the carried ones too: each counts like one that came by its own event.

    A client belongs to every Org it names, and to the Org of the event that carries it.
    """
    for key, record in _belonging(event):
        yield _seen(event, source, key, record)


def newer_in(event: Event, source: SourceEvent, known: Known) -> tuple[list[SeenRecord], int]:
    """Give those of `records_in` that are not known to be durable, and how many are: most carried records are."""
    newer: list[SeenRecord] = []
    stale = 0
    for key, record in _belonging(event):
        sequence = known(key)
        if sequence is not None and sequence >= record.sequence:
            stale += 1
        else:
            newer.append(_seen(event, source, key, record))
    return newer, stale


def _belonging(event: Event) -> Iterator[tuple[RecordKey, Record]]:
    own = event.object
    if isinstance(own, Client):
        yield from _clients(own, intern(event.metadata.org_id))
        return
    org_id = intern(own.org.id)
    if isinstance(own, Project):
        yield from _projects(own, org_id)
        return
    yield (org_id, "invoice", own.id), own
    yield from _clients(own.client, org_id)
    if own.project is not None:
        yield from _projects(own.project, org_id)


def _projects(project: Project, event_org: str) -> Iterator[tuple[RecordKey, Record]]:
    yield (intern(project.org.id), "project", project.id), project
    yield from _clients(project.client, event_org)
    if project.billing_client.id != project.client.id:
        yield from _clients(project.billing_client, event_org)


def _clients(client: Client, event_org: str) -> Iterator[tuple[RecordKey, Record]]:
    yield (event_org, "client", client.id), client
    for org_id in dict.fromkeys(org.id for org in client.orgs):
        if org_id != event_org:
            yield (intern(org_id), "client", client.id), client


def _seen(event: Event, source: SourceEvent, key: RecordKey, record: Record) -> SeenRecord:
    org_id, kind, kompass_id = key
    return SeenRecord(
        org_id=org_id,
        kind=_KINDS[kind],
        kompass_id=kompass_id,
        sequence=record.sequence,
        reference=(record.name if isinstance(record, Client) else record.reference)[:_REFERENCE],
        record=record,
        party_id=record.billing_client.id if isinstance(record, Project) else "",
        deleted=event.action is Action.DELETE and record is event.object,
        event_id=event.id,
        event_created_at=event.created,
        user_id=(event.metadata.user_id or "") if record is event.object else "",
        own=record is event.object,
        source=source,
        key=key,
    )


class Names:
    """The Orgs, services, departments and VAT rates of many events, each once, so that people can pick them from a list.

    What a line names is nearly always what another one named before: only that is compared.
    """

    def __init__(self) -> None:
        self.found: dict[Remembered, None] = {}
        self._seen: set[object] = set()

    def add(self, event: Event) -> None:
        own = event.object
        for org in own.orgs if isinstance(own, Client) else (own.org,):
            if org not in self._seen:
                self._seen.add(org)
                self.found[Remembered("org", org.id, org.id, org.name)] = None
        if not isinstance(own, Invoice):
            return
        for line in own.lines:
            named = (own.org.id, line.service, line.vat_rate)
            if named not in self._seen:
                self._seen.add(named)
                self.found.update(dict.fromkeys(_names_of(line, own.org.id)))


def _names_of(line: InvoiceLine, org_id: str) -> Iterator[Remembered]:
    service, rate = line.service, line.vat_rate
    if service is not None:
        department = service.department
        if department is not None:
            yield Remembered("department", org_id, department.id, department.name)
        yield Remembered("service", org_id, service.id, service.name, department.id if department is not None else "")
    if rate is None:
        yield Remembered("vat_rate", org_id, "", "no VAT rate")
    else:
        yield Remembered("vat_rate", org_id, rate.id, rate.name, str(rate.rate))
