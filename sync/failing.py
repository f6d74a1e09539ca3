"""The one place that builds the failure of a link: what people see under Sync errors, and what the dead letter says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from mapping.results import Problem
from store import failures, records
from store.failures import Failure
from store.links import Link
from sync.attempt import Attempt


def failed_in_mapping(db: Connection, link: Link, problems: Sequence[Problem], *, sequence: int | None = None) -> None:
    """A decision failed the record: no call was made. People read the first problem; the detail has them all."""
    said = [
        {"cause": one.cause, "message": one.message, "field": one.field, "value": one.value, "remedy": one.remedy}
        for one in problems
    ]
    _record(db, link, problems[0], stage="map", sequence=sequence, detail={"problems": said})


def failed_in_call(db: Connection, attempt: Attempt, problem: Problem, *, tid: str | None, attempts: int) -> None:
    """QuickBooks refused a call, or it could not be brought to an end."""
    detail = {"operation": attempt.operation, "entity": attempt.entity, "body": attempt.body}
    _record(
        db, attempt.link, problem,
        stage="push", sequence=attempt.sequence, intuit_tid=tid or "", attempts=attempts, detail=detail,
    )  # fmt: skip


def _record(db: Connection, link: Link, problem: Problem, **more: Any) -> None:
    """Open the failure of a link, or bring its open one up to date, with the event that its record came in."""
    key = (link.org_id, link.kind.value, link.kompass_id)
    failures.record_failure(
        db,
        Failure(
            cause=problem.cause,
            message=problem.message,
            remedy=problem.remedy,
            field=problem.field,
            value=problem.value,
            source=records.read_source(db, key),
            org_id=link.org_id,
            realm_id=link.realm_id,
            link_id=link.id,
            kind=link.kind.value,
            kompass_id=link.kompass_id,
            reference=link.reference,
            **more,
        ),
    )
