"""Intents for the calls that a claim makes: a new one for a decision, the old one taken over where its outcome is not known."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from consumers.reconcile import judging
from consumers.reconcile.work import Work
from mapping.decisions import Read, Write
from store import json
from store.connections import CompanyConnection
from store.intents import OpenIntent
from store.links import Link


@dataclass(frozen=True, slots=True)
class New:
    link: Link
    decision: Write | Read
    sequence: int
    version: int
    connection: CompanyConnection


@dataclass(frozen=True, slots=True)
class Resend:
    link: Link
    opened: OpenIntent
    connection: CompanyConnection


@dataclass(frozen=True, slots=True)
class Terms:
    """What all intents of one claim have in common."""

    owner: str
    horizon: timedelta
    """After which a link whose process died is due by itself: its call is certainly over then."""
    over_after: timedelta
    """After which a call is over at Intuit, if it was sent as late as may be."""
    resend_window: float
    now: datetime
    """By the database's clock."""
    started: float
    """Monotonic seconds, before the claim's transaction began."""
    granted_at: float


@dataclass(frozen=True, slots=True)
class Intended:
    """A call with what has to be written before it may be made."""

    work: Work
    intent: dict[str, Any]
    link: dict[str, Any]
    """The link's changes."""


def intend(new: New, terms: Terms, *, batch_id: str = "") -> Intended:
    """Make a call of a decision, under a new request id or that of its batch."""
    link, decision = new.link, new.decision
    write = decision if isinstance(decision, Write) else None
    sent = None
    if write is not None:
        sent = {**write.sent, judging.VOIDED: True} if write.voided else dict(write.sent)
    work = Work(
        link=replace(link, epoch=link.epoch + 1),
        epoch=link.epoch + 1,
        phase="send",
        operation=write.operation if write is not None else "read",
        entity=decision.entity,
        object_id=decision.object_id,
        body=json.dumps(write.body) if write is not None else "",
        request_id=batch_id or uuid.uuid4().hex,
        sent=sent,
        name=(write.name or "") if write is not None else "",
        sequence=new.sequence,
        configuration_version=new.version,
        attempt=1,
        first_sent_at=None,
        claimed_at=terms.started,
        granted_at=terms.granted_at,
        voided=write is not None and write.voided,
        connection_version=new.connection.version,
        batch_id=batch_id,
    )
    changes: dict[str, Any] = {
        "again": False,
        "depends_on": None,
        "judged_sequence": new.sequence,
        "judged_version": new.version,
    }
    if work.operation == "create" and link.qbo_id is not None:
        # It is made anew: whatever becomes of this call, what was deleted is never written to again.
        changes |= {"qbo_id": None, "sync_token": None, "sent": None, "line_ids": [], "theirs": None, "voided": False}
    return _intended(work, terms, changes, first_sent_at=terms.now)


def take_over(resend: Resend, terms: Terms) -> Intended:
    """Re-send as it was written while Intuit is trusted to remember the request id; look up afterwards."""
    link, intent = resend.link, resend.opened.intent
    looks = intent.phase == "lookup" or resend.opened.age > terms.resend_window
    work = Work(
        link=replace(link, epoch=link.epoch + 1),
        epoch=link.epoch + 1,
        phase="lookup" if looks else "send",
        operation=intent.operation,
        entity=intent.entity,
        object_id=intent.object_id,
        body=intent.body,
        request_id=intent.request_id,
        sent=intent.sent,
        name=intent.name,
        sequence=intent.sequence,
        configuration_version=intent.configuration_version,
        attempt=intent.attempt + 1,
        first_sent_at=intent.first_sent_at,
        claimed_at=terms.started,
        granted_at=terms.granted_at,
        voided=bool(intent.sent and intent.sent.get(judging.VOIDED)),
        connection_version=resend.connection.version,
        # What is looked up goes by itself.
        batch_id="" if looks else intent.batch_id,
        over_at=intent.resend_after,
    )
    return _intended(work, terms, {}, first_sent_at=intent.first_sent_at)


def _intended(work: Work, terms: Terms, changes: dict[str, Any], *, first_sent_at: datetime) -> Intended:
    intent = {
        "link_id": work.link.id,
        "realm_id": work.link.realm_id,
        "epoch": work.epoch,
        "phase": work.phase,
        "operation": work.operation,
        "entity": work.entity,
        "object_id": work.object_id,
        "body": work.body,
        "request_id": work.request_id,
        "sent": work.sent,
        "name": work.name,
        "sequence": work.sequence,
        "configuration_version": work.configuration_version,
        "attempt": work.attempt,
        "owner": terms.owner,
        "heartbeat_at": terms.now,
        "first_sent_at": first_sent_at,
        "resend_after": terms.now + terms.over_after,
        "batch_id": work.batch_id,
    }
    # Should this process die, the link becomes due by itself once the call is certainly over.
    link = {"id": work.link.id, "epoch": work.epoch, "due_at": terms.now + terms.horizon, **changes}
    return Intended(work, intent, link)
