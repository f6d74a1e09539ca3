"""`kompass-qbo why`: everything that happened to one record, its state now, and what would be done about it now."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from sqlalchemy import Connection

from consumers.errors import ConsumersError, ExitCode
from consumers.inquiry.forecast import Forecast, forecast_of
from consumers.inquiry.showing import forecast_lines, plain, pretty, say
from mapping.problems import money
from schemas.counting import counted
from schemas.events import Kind, reference_of
from schemas.jsonlines import record_from_json
from schemas.link_state import LinkState
from store import history, mails
from store.engine import check_database, open_engine
from store.links import Link
from store.records import read_records
from store.searching import LinkTimes, Match, failures_of_record, find_orgs, find_records, link_times, links_of_record
from sync.companies import read_company
from sync.decide import link_to_be, predict
from sync.settings import Environment, read_database

_SHOWN = {"judged": "decided"}
"""What people read in place of a stored word; `--json` keeps the stored one."""


@dataclass(frozen=True, slots=True)
class Happened:
    at: dt.datetime
    what: str
    """`event | judged | called | recovered | asked | failed | closed | mailed`"""
    outcome: str
    message: str
    intuit_tid: str = ""
    detail: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {
            "at": self.at, "what": self.what, "outcome": self.outcome, "message": self.message,
            "intuit_tid": self.intuit_tid, "detail": self.detail,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    record: Match
    happened: tuple[Happened, ...]
    links: tuple[tuple[Link, LinkTimes], ...]
    now: tuple[Forecast, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "org": {"id": self.record.org_id, "name": self.record.org_name},
            "kind": self.record.kind.value,
            "id": self.record.kompass_id,
            "reference": self.record.reference,
            "sequence": self.record.sequence,
            "deleted": self.record.deleted,
            "history": [one.to_json() for one in self.happened],
            "links": [
                {
                    "company": link.realm_id, "state": link.state, "cause": link.cause, "reason": link.reason,
                    "entity": link.entity, "qbo_id": link.qbo_id, "name": link.name, "currency": link.currency,
                    "applied_sequence": times.applied_sequence, "synced_at": times.synced_at, "due_at": times.due_at,
                    "total": times.qbo_total, "difference": times.difference, "attempts": link.attempts,
                }
                for link, times in self.links
            ],
            "now": [one.to_json() for one in self.now],
        }  # fmt: skip


@click.command("why")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("ref")
@click.option("--org", help="The Org's id or name, when REF is in several.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def why(kind: str, ref: str, org: str | None, as_json: bool) -> int:
    """Tell the whole history of one record, where it stands and what would be done now. Calls nothing.

    REF is the record's Kompass id, an invoice's or project's reference or a client's name; a part of it will do when it
    fits one record only. Exit code 1 when it fits none or several.
    """
    engine = open_engine(read_database(Environment(os.environ)), pool_size=1)
    try:
        check_database(engine)
        with engine.connect() as db:
            the_story = story(db, find_one(db, Kind(kind), ref, org))
    finally:
        engine.dispose()
    if as_json:
        click.echo(pretty(the_story.to_json()))
    else:
        show(the_story)
    return ExitCode.OK


def find_one(db: Connection, kind: Kind, ref: str, org: str | None) -> Match:
    """Give the one record that is meant. Raises `ConsumersError`, which names what there is."""
    if org is not None and not find_orgs(db, org):
        raise ConsumersError(f"no Org has the id or name {org!r}")
    found = find_records(db, kind, ref, org_id=org)
    if not found:
        where = f" in Org {org}" if org else ""
        raise ConsumersError(
            f"no {kind.value} with id, reference or name {ref!r} was seen{where}; events of an Org without a Configuration "
            "are not kept"
        )
    if len(found) > 1:
        shown = ", ".join(f"{one.reference} (id {one.kompass_id}, Org {one.org_name})" for one in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ConsumersError(f"{ref!r} fits {counted(len(found), kind.value)}: {shown}{more}; give the id, or --org")
    return found[0]


def story(db: Connection, record: Match) -> Story:
    """Put together everything that is known of a record."""
    key = {"org_id": record.org_id, "kind": record.kind, "kompass_id": record.kompass_id}
    found = links_of_record(db, **key)  # type: ignore[arg-type]
    times = link_times(db, [link.id for link in found])
    written = history.read(db, org_id=record.org_id, kind=record.kind.value, kompass_id=record.kompass_id)
    happened = [
        *_from_history(db, written),
        *_from_failures(failures_of_record(db, **key)),  # type: ignore[arg-type]
    ]
    happened.sort(key=lambda one: one.at)
    return Story(
        record, tuple(happened), tuple((link, times[link.id]) for link in found), tuple(_now(db, record, found))
    )


def _from_history(db: Connection, written: Sequence[history.Happening]) -> Iterator[Happened]:
    ids = {one.detail["mail"] for one in written if one.what == "mailed" and isinstance(one.detail.get("mail"), int)}
    known = mails.read_states(db, {int(str(one)) for one in ids})
    for one in written:
        message = one.message
        if one.what == "mailed" and (state := known.get(int(str(one.detail.get("mail", -1))))) is not None:
            message = f"“{message}” {state}"
        yield Happened(one.at, one.what, one.outcome, message, one.intuit_tid, dict(one.detail))


def _from_failures(rows: Sequence[Any]) -> Iterator[Happened]:
    for row in rows:
        times = f", {counted(row.attempts, 'attempt')} until {_moment(row.last_failed_at)}" if row.attempts > 1 else ""
        yield Happened(
            row.first_failed_at, "failed", row.cause, f"{row.message} → {row.remedy}{times}", row.intuit_tid,
            {"failure": row.id, "stage": row.stage, "attempts": row.attempts, "replay_count": row.replay_count},
        )  # fmt: skip
        if row.closed_at is not None:
            yield Happened(
                row.closed_at,
                "closed",
                row.closed_because,
                f"the failure {row.cause} is resolved",
                "",
                {"failure": row.id},
            )


def _now(db: Connection, record: Match, found: Sequence[Link]) -> Iterator[Forecast]:
    """Decide about the record's links in the company that is linked now."""
    rows = read_records(db, [(record.org_id, record.kind.value, record.kompass_id)])
    body = record_from_json(record.kind, next(iter(rows.values())).body)
    base = Forecast(record.org_id, record.kind, record.kompass_id, reference_of(body), outcome="wait")
    company = read_company(db, record.org_id)
    if company is None:
        yield replace(base, cause="unconfigured", reason="the Org has no Configuration any more")
        return
    realm_id = company.configuration.realm_id
    if realm_id is None:
        reason = "no QuickBooks company is linked: Authorize with QuickbooksOnline first"
        yield replace(base, cause="unlinked", reason=reason)
        return
    if company.facts is None:
        reason = "nothing is known of the QuickBooks company yet: its facts are fetched first"
        yield replace(base, cause="no-facts", reason=reason)
        return
    linked = [one for one in found if one.realm_id == realm_id] or [
        link_to_be(body, org_id=record.org_id, realm_id=realm_id)
    ]
    yield from map(forecast_of, predict(db, [(link, company) for link in linked], assume=False))


def _moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def show(the_story: Story) -> None:
    """Print a story for people."""
    record = the_story.record
    gone = ", deleted in Kompass" if record.deleted else ""
    say(f"{record.kind.value} {record.reference} (id {record.kompass_id}) of {record.org_name}")
    say(f"Newest state: sequence {record.sequence}{gone}, read {_moment(record.received_at)} UTC")
    say()
    say("What happened (UTC)")
    for one in the_story.happened:
        tid = f" [intuit_tid {one.intuit_tid}]" if one.intuit_tid else ""
        how = " ".join(str(one.detail[name]) for name in ("operation", "entity") if one.detail.get(name))
        took = f" in {one.detail['seconds']} s" if "seconds" in one.detail else ""
        words = ": ".join(part for part in (f"{one.outcome}{took}", one.message) if part)
        say(f"{_moment(one.at)}  {_SHOWN.get(one.what, one.what)} {how + ', ' if how else ''}{words}{tid}", indent=2)
    if not the_story.happened:
        say("nothing is on record", indent=2)
    say()
    say("Where it stands")
    for link, times in the_story.links:
        say(_standing(link, times), indent=2)
    if not the_story.links:
        say("it has no link to any QuickBooks company", indent=2)
    say()
    say("What would be done now")
    for forecast in the_story.now:
        for line in forecast_lines(forecast):
            click.echo("  " + line.replace("\n", "\n  "))


def _standing(link: Link, times: LinkTimes) -> str:
    words = f"company {link.realm_id}: {link.state}"
    if link.cause or link.reason:
        words += f", {link.reason or link.cause}" + (f" ({link.cause})" if link.cause and link.reason else "")
    if link.qbo_id:
        words += f"; {link.entity} {link.name} (Id {link.qbo_id}), sent from sequence {times.applied_sequence}"
        if times.synced_at is not None:
            words += f" on {_moment(times.synced_at)}"
        if times.qbo_total is not None:
            words += f", total {money(times.qbo_total)}"
        if times.difference:
            words += f"; differs: {times.difference}"
    if times.due_at is not None:
        tried = link.state in (LinkState.RETRYING, LinkState.FAILED)
        words += f"; {'next try' if tried else 'due'} {_moment(times.due_at)} UTC"
    return plain(words)
