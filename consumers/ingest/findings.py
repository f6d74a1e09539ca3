"""What one event says: the records in it, for every Org they belong to, and the names worth remembering."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import Action, Client, Event, Invoice, Kind, Project, Record
from store.records import Remembered, SeenRecord, SourceEvent

# What people search for is indexed, and an index entry is small: a name's beginning will do.
_REFERENCE = 200


def records_in(event: Event, source: SourceEvent) -> Iterator[SeenRecord]:
    """Give every record of an event, the carried ones too: each counts like one that came by its own event.

    A client belongs to every Org it names, and to the Org of the event that carries it.
    """
    own = event.object
    deleted = event.action is Action.DELETE
    event_org = event.metadata.org_id if isinstance(own, Client) else own.org.id

    def seen(record: Record, org_id: str, kind: Kind, reference: str, party_id: str = "") -> SeenRecord:
        return SeenRecord(
            org_id=org_id,
            kind=kind,
            kompass_id=record.id,
            sequence=record.sequence,
            reference=reference[:_REFERENCE],
            record=record,
            party_id=party_id,
            deleted=deleted and record is own,
            event_id=event.id,
            event_created_at=event.created,
            source=source,
        )

    def clients(client: Client) -> Iterator[SeenRecord]:
        for org_id in dict.fromkeys([event_org, *(org.id for org in client.orgs)]):
            yield seen(client, org_id, Kind.CLIENT, client.name)

    def projects(project: Project) -> Iterator[SeenRecord]:
        yield seen(project, project.org.id, Kind.PROJECT, project.reference, project.billing_client.id)
        yield from clients(project.client)
        if project.billing_client.id != project.client.id:
            yield from clients(project.billing_client)

    if isinstance(own, Invoice):
        yield seen(own, own.org.id, Kind.INVOICE, own.reference)
        yield from clients(own.client)
        if own.project is not None:
            yield from projects(own.project)
    elif isinstance(own, Project):
        yield from projects(own)
    else:
        yield from clients(own)


def names_in(event: Event) -> Iterator[Remembered]:
    """Give the Orgs, services, departments and VAT rates of an event, so that people can pick them from a list."""
    own = event.object
    if isinstance(own, Client):
        for org in own.orgs:
            yield Remembered("org", org.id, org.id, org.name)
        return
    yield Remembered("org", own.org.id, own.org.id, own.org.name)
    if isinstance(own, Project):
        return
    org_id = own.org.id
    for line in own.lines:
        if line.service is not None:
            department = line.service.department
            if department is not None:
                yield Remembered("department", org_id, department.id, department.name)
            yield Remembered(
                "service", org_id, line.service.id, line.service.name, department.id if department is not None else ""
            )
        if line.vat_rate is None:
            yield Remembered("vat_rate", org_id, "", "no VAT rate")
        else:
            yield Remembered("vat_rate", org_id, line.vat_rate.id, line.vat_rate.name, str(line.vat_rate.rate))
