"""The one place that builds the failure of a link: what people see under Sync errors, and what the dead letter says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mapping.results import Problem
from store import failures, records
from store.failures import Failure
from store.links import Link
from sync.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Setback:
    """How a link failed. The first problem is the one that people read; the others go into the detail."""

    stage: str
    """map | push"""
    problems: Sequence[Problem]
    sequence: int | None = None
    intuit_tid: str = ""
    attempts: int = 1
    detail: Mapping[str, object] | None = None


def in_mapping(problems: Sequence[Problem], *, sequence: int | None = None) -> Setback:
    """A decision that fails the record: no call was made."""
    said = [
        {"cause": one.cause, "message": one.message, "field": one.field, "value": one.value, "remedy": one.remedy}
        for one in problems
    ]
    return Setback("map", problems, sequence, detail={"problems": said})


def in_call(attempt: Attempt, problem: Problem, *, stage: str, tid: str | None, attempts: int) -> Setback:
    """A call that QuickBooks refused, or that could not be brought to an end."""
    detail = {"operation": attempt.operation, "entity": attempt.entity, "body": attempt.body}
    return Setback(stage, (problem,), attempt.sequence, tid or "", attempts, detail)


def record_failure(db: Connection, link: Link, setback: Setback) -> int:
    """Open the failure of a link, or bring its open one up to date, with the event that its record came in; gives its id."""
    first = setback.problems[0]
    key = (link.org_id, link.kind.value, link.kompass_id)
    return failures.record_failure(
        db,
        Failure(
            stage=setback.stage,
            cause=first.cause,
            message=first.message,
            remedy=first.remedy,
            field=first.field,
            value=first.value,
            source=records.read_source(db, key),
            org_id=link.org_id,
            realm_id=link.realm_id,
            link_id=link.id,
            kind=link.kind.value,
            kompass_id=link.kompass_id,
            reference=link.reference,
            sequence=setback.sequence,
            intuit_tid=setback.intuit_tid,
            attempts=setback.attempts,
            detail=setback.detail,
        ),
    )
