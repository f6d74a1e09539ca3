"""What a saved mapping or template changes: which waiting documents go out, and which sent ones would now differ."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models import Q

from admin.quickbooks_online.cases import Judged, judge_links, read_company
from admin.quickbooks_online.models import Configuration, Link
from admin.quickbooks_online.preview import Difference, differences
from admin.quickbooks_online.runtime import engine
from mapping.judgement import Write
from schemas.events import Invoice

JUDGED_AT_MOST = 400
"""The newest documents of a company that are compared; mapping one takes about a millisecond."""


@dataclass(frozen=True, slots=True)
class Changed:
    link_id: int
    reference: str
    name: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    going_out: int
    """Documents that wait or were refused, and can go now."""
    differing: tuple[Changed, ...]
    closed: int
    """Sent documents that would differ but lie in a closed period: never resent from here."""
    compared: int
    more: bool
    """There are more sent documents than were compared."""

    @property
    def sentence(self) -> str:
        """``37 waiting documents will go out; 214 sent ones would now differ``."""
        parts = []
        if self.going_out:
            parts.append(f"{_count(self.going_out, 'waiting document')} will go out")
        if self.differing:
            sent = f"{_count(len(self.differing), 'sent one')}{' or more' if self.more else ''}"
            parts.append(f"{sent} would now differ")
        if self.closed:
            parts.append(f"{_count(self.closed, 'document')} of a closed period stay as they are")
        return "; ".join(parts) if parts else "No document changes by this"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def impact_of(
    configuration: Configuration, *, kinds: Collection[str] = ("invoice",), refresh_names: bool = False
) -> Impact:
    """Compare the newest links of the company with what would be sent under the configuration as it is saved now."""
    nothing = Impact(0, (), 0, 0, more=False)
    if not configuration.realm_id or not configuration.enabled:
        return nothing
    with engine().begin() as db:
        company = read_company(db, configuration.org_id)
    if company is None:
        return nothing
    links = Link.objects.filter(
        Q(state__in=("waiting", "rejected")) | Q(state="settled", qbo_id__isnull=False, voided=False),
        realm_id=configuration.realm_id,
        org_id=configuration.org_id,
        kind__in=kinds,
    ).order_by("-id")
    chosen = list(links[: JUDGED_AT_MOST + 1])
    more = len(chosen) > JUDGED_AT_MOST
    judged = judge_links(chosen[:JUDGED_AT_MOST], company, refresh_names=refresh_names)
    going_out = sum(
        1 for one in judged if one.link.state in ("waiting", "rejected") and isinstance(one.decision, Write)
    )
    differing = [one for one in judged if one.link.state == "settled" and _differs(one)]
    closed_until = company.facts.book_close_date
    closed = [
        one
        for one in differing
        if closed_until is not None and isinstance(one.case.record, Invoice) and one.case.record.date <= closed_until
    ]
    open_ones = [one for one in differing if one not in closed]
    return Impact(
        going_out=going_out,
        differing=tuple(_changed(one) for one in open_ones),
        closed=len(closed),
        compared=len(judged),
        more=more,
    )


def _differs(judged: Judged) -> bool:
    decision = judged.decision
    return isinstance(decision, Write) and decision.operation == "update"


def _changed(judged: Judged) -> Changed:
    assert isinstance(judged.decision, Write)
    changed = tuple(
        one for one in differences(judged.link.sent, judged.decision.sent) if one.changed and not _same_number(one)
    )
    return Changed(judged.link.pk, judged.link.reference, judged.link.name, changed)


def _same_number(one: Difference) -> bool:
    try:
        return Decimal(one.before) == Decimal(one.now)
    except ArithmeticError:
        return False


def ask_again(
    link_ids: Collection[int], *, by: str, refresh_names: bool = False, overwrite: bool = False, why: str = ""
) -> int:
    """Have these links judged again, whatever they are now; gives how many there are.

    The pipeline does the rest: what the links say already costs no call.
    """
    if not link_ids:
        return 0
    sets = ["again = true", "due_at = now()", "due_since = coalesce(due_since, now())"]
    if refresh_names:
        sets.append("refresh_names = true")
    if overwrite:
        sets.append("overwrite = true")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE qbo_link SET {', '.join(sets)} WHERE id IN ("
            " SELECT id FROM qbo_link WHERE id = ANY(%s) ORDER BY id FOR UPDATE)"
            " RETURNING id, org_id, realm_id, kind, kompass_id",
            [sorted(link_ids)],
        )
        rows = cursor.fetchall()
        cursor.executemany(
            "INSERT INTO qbo_history (org_id, realm_id, kind, kompass_id, link_id, what, outcome, message)"
            " VALUES (%s, %s, %s, %s, %s, 'asked', 'resend', %s)",
            [
                (org, realm, kind, kompass, pk, why or f"{by} asked for it to be looked at again")
                for pk, org, realm, kind, kompass in rows
            ],
        )
        cursor.execute("NOTIFY kompass_qbo, 'links'")
    return len(rows)
