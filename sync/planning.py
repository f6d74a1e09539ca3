"""Intents for the calls that a claim makes: a new one for a decision, the old one taken over where its outcome is not known."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from mapping.decisions import Read, Write
from store import json
from store.attempts import OpenAttempt
from store.connections import CompanyConnection
from store.links import Link
from sync.attempt import Attempt
from sync.decide import TEMPORARY, VOIDED
from sync.link import Change, sent


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
    opened: OpenAttempt
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
    permitted_at: float


@dataclass(frozen=True, slots=True)
class Intended:
    """A call with what has to be written before it may be made."""

    work: Attempt
    intent: dict[str, Any]
    link: Change


def intend(new: New, terms: Terms, *, batch_id: str = "") -> Intended:
    """Make a call of a decision, under a new request id or that of its batch."""
    link, decision = new.link, new.decision
    write = decision if isinstance(decision, Write) else None
    applied = None
    if write is not None:
        applied = {
            **write.applied,
            **({VOIDED: True} if write.voided else {}),
            **({TEMPORARY: write.temporary} if write.temporary else {}),
        }
    work = Attempt(
        link=replace(link, epoch=link.epoch + 1),
        epoch=link.epoch + 1,
        phase="send",
        operation=write.operation if write is not None else "read",
        entity=decision.entity,
        object_id=decision.object_id,
        body=json.dumps(write.body) if write is not None else "",
        request_id=batch_id or uuid.uuid4().hex,
        applied=applied,
        name=(write.name or "") if write is not None else "",
        sequence=new.sequence,
        configuration_version=new.version,
        attempt=1,
        first_sent_at=None,
        claimed_at=terms.started,
        permitted_at=terms.permitted_at,
        voided=write is not None and write.voided,
        connection_version=new.connection.version,
        batch_id=batch_id,
    )
    changes: dict[str, Any] = {}
    if work.operation == "create" and link.qbo_id is not None:
        # It is made anew: whatever becomes of this call, what was deleted is never written to again.
        changes = {
            "qbo_id": None,
            "sync_token": None,
            "applied": None,
            "line_ids": [],
            "observed": None,
            "by_hand": [],
            "kept": [],
            "voided": False,
        }
    at = (new.sequence, new.version)
    return _intended(work, terms, first_sent_at=terms.now, at=at, changes=changes)


def take_over(resend: Resend, terms: Terms) -> Intended:
    """Re-send as it was written while Intuit is trusted to remember the request id; look up afterwards."""
    link, intent = resend.link, resend.opened.intent
    looks = intent.phase == "lookup" or resend.opened.age > terms.resend_window
    work = Attempt(
        link=replace(link, epoch=link.epoch + 1),
        epoch=link.epoch + 1,
        phase="lookup" if looks else "send",
        operation=intent.operation,
        entity=intent.entity,
        object_id=intent.object_id,
        body=intent.body,
        request_id=intent.request_id,
        applied=intent.applied,
        name=intent.name,
        sequence=intent.sequence,
        configuration_version=intent.configuration_version,
        attempt=intent.attempt + 1,
        first_sent_at=intent.first_sent_at,
        claimed_at=terms.started,
        permitted_at=terms.permitted_at,
        voided=bool(intent.applied and intent.applied.get(VOIDED)),
        connection_version=resend.connection.version,
        # What is looked up goes by itself.
        batch_id="" if looks else intent.batch_id,
        over_at=intent.resend_after,
    )
    return _intended(work, terms, first_sent_at=intent.first_sent_at)


def _intended(
    work: Attempt,
    terms: Terms,
    *,
    first_sent_at: datetime,
    at: tuple[int, int] | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> Intended:
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
        "applied": work.applied,
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
    change = sent(work.link, epoch=work.epoch, over_at=terms.now + terms.horizon, at=at, **changes)
    return Intended(work, intent, change)
