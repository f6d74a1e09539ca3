"""Counts what is inside a set of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from demo.samples.rejected import REJECTED
from schemas.counting import counted
from schemas.events import Action, Client, Event, Invoice, InvoiceType, Kind, Project, Record, Step, kind_of


def newest(events: Iterable[Event]) -> dict[tuple[Kind, str], tuple[Record, bool]]:
    """The newest state of every record, carried ones included, and whether it was deleted with it."""
    found: dict[tuple[Kind, str], tuple[Record, bool]] = {}

    def note(record: Record, *, deleted: bool) -> None:
        key = kind_of(record), record.id
        if key not in found or found[key][0].sequence < record.sequence:
            found[key] = record, deleted

    for event in events:
        for record in within(event.object):
            note(record, deleted=event.action is Action.DELETE and record is event.object)
    return found


def within(record: Record) -> list[Record]:
    """The record and those it carries."""
    if isinstance(record, Client):
        return [record]
    if isinstance(record, Project):
        return [record, record.client, record.billing_client]
    carried = [] if record.project is None else within(record.project)
    return [record, record.client, *carried]


def summary(events: list[Event]) -> str:
    """A Markdown table, Org by Org."""
    columns: dict[str, Counter[str]] = {}
    for record, deleted in newest(events).values():
        for org in record.orgs if isinstance(record, Client) else (record.org,):
            column = columns.setdefault(org.name, Counter())
            column.update(_traits(record, deleted=deleted))
    for event in events:
        org_name = event.object.orgs[0].name if isinstance(event.object, Client) else event.object.org.name
        columns[org_name]["events"] += 1
    names = {
        record.orgs[0].id if isinstance(record, Client) else record.org.id: None
        for record, _ in newest(events).values()
    }
    orgs = {
        o.id: o.name
        for record, _ in newest(events).values()
        for o in (record.orgs if isinstance(record, Client) else (record.org,))
    }
    for rejection in REJECTED:
        if rejection.org_id in names:
            columns[orgs[rejection.org_id]]["failed, or waiting for a record that failed"] += 1
    rows = list(dict.fromkeys(row for row in _ORDER if any(column[row] for column in columns.values())))
    heads = sorted(columns)
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    lines += [f"| {row} | " + " | ".join(str(columns[head][row]) for head in heads) + " |" for row in rows]
    repeated = len(events) - len({event.id for event in events})
    seen: dict[tuple[Kind, str], int] = {}
    late = 0
    for event in events:
        key = kind_of(event.object), event.object.id
        late += event.object.sequence < seen.get(key, 0)
        seen[key] = max(seen.get(key, 0), event.object.sequence)
    lines.append("")
    lines.append(
        f"{counted(len(events), 'event')}, {repeated} of them repeats, {late} older than what came before them."
    )
    return "\n".join(lines)


_ORDER = (
    "events",
    "clients",
    "clients inactive",
    "clients of several Orgs",
    "clients in another currency",
    "projects",
    "projects billed to another client",
    "invoices",
    "approved or posted",
    "credit notes",
    "voided",
    "journals",
    "Synchronize off",
    "drafts, submitted, rejected in Kompass",
    "deleted drafts",
    "documents in another currency",
    "failed, or waiting for a record that failed",
)


def _traits(record: Record, *, deleted: bool) -> Iterable[str]:
    if isinstance(record, Client):
        yield "clients"
        if record.inactive:
            yield "clients inactive"
        if len(record.orgs) > 1:
            yield "clients of several Orgs"
        if record.currency in ("EUR", "USD"):
            yield "clients in another currency"
    elif isinstance(record, Project):
        yield "projects"
        if record.client.id != record.billing_client.id:
            yield "projects billed to another client"
    else:
        yield from _document_traits(record, deleted=deleted)


def _document_traits(record: Invoice, *, deleted: bool) -> Iterable[str]:
    yield "invoices"
    if record.currency != {"org-us": "USD", "org-uk": "GBP", "org-ca": "CAD"}.get(record.org.id):
        yield "documents in another currency"
    if deleted:
        yield "deleted drafts"
    elif not record.synchronize:
        yield "Synchronize off"
    elif record.type is InvoiceType.JOURNAL:
        yield "journals"
    elif record.step is Step.VOIDED:
        yield "voided"
    elif record.step not in (Step.APPROVED, Step.POSTED):
        yield "drafts, submitted, rejected in Kompass"
    elif record.type is InvoiceType.CREDIT_NOTE:
        yield "credit notes"
    else:
        yield "approved or posted"
