"""The newest state of every record in a set of events, and the older ones: an independent reading of the event contract.

Nothing here is shared with the pipeline: it is half of the proof that the pipeline is right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.events import Action, Client, Event, Invoice, Project, Record


@dataclass(slots=True)
class History:
    """Every state of one record that was seen, by sequence."""

    states: dict[int, Record] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)

    @property
    def newest(self) -> Record:
        return self.states[max(self.states)]

    @property
    def gone(self) -> bool:
        """Whether the newest thing said of it is that it was deleted."""
        return max(self.states) in self.deleted

    @property
    def older(self) -> Iterator[Record]:
        newest = max(self.states)
        return (state for sequence, state in sorted(self.states.items()) if sequence < newest)


@dataclass(slots=True)
class Seen:
    """What the events say of one Org, by Kompass id."""

    clients: dict[str, History] = field(default_factory=lambda: defaultdict(History))
    projects: dict[str, History] = field(default_factory=lambda: defaultdict(History))
    invoices: dict[str, History] = field(default_factory=lambda: defaultdict(History))

    def client(self, client: Client) -> Client:
        newest = self.clients[client.id].newest
        assert isinstance(newest, Client)
        return newest

    def project(self, project: Project) -> Project:
        newest = self.projects[project.id].newest
        assert isinstance(newest, Project)
        return newest


def seen_by_org(events: Iterable[Event]) -> dict[str, Seen]:
    """Org id → what was said of its records, in any order."""
    orgs: dict[str, Seen] = defaultdict(Seen)
    for event in events:
        deleted = event.action is Action.DELETE
        record = event.object
        if isinstance(record, Client):
            _client(orgs, record, event.metadata.org_id, deleted=deleted)
        elif isinstance(record, Project):
            _project(orgs, record, deleted=deleted)
        else:
            _note(orgs[record.org.id].invoices[record.id], record, deleted=deleted)
            _client(orgs, record.client, record.org.id)
            if record.project is not None:
                _project(orgs, record.project)
    return dict(orgs)


def _client(orgs: dict[str, Seen], client: Client, org_id: str, *, deleted: bool = False) -> None:
    for org in {org_id, *(org.id for org in client.orgs)}:
        _note(orgs[org].clients[client.id], client, deleted=deleted)


def _project(orgs: dict[str, Seen], project: Project, *, deleted: bool = False) -> None:
    _note(orgs[project.org.id].projects[project.id], project, deleted=deleted)
    for client in (project.client, project.billing_client):
        _client(orgs, client, project.org.id)


def _note(history: History, record: Client | Project | Invoice, *, deleted: bool = False) -> None:
    history.states.setdefault(record.sequence, record)
    if deleted:
        history.deleted.add(record.sequence)
