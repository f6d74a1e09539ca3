"""The trail of one document: who changed what in Kompass, when it came, what was sent and what QuickBooks answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.formats import date_format

from admin.quickbooks_online.models import Link
from admin.quickbooks_online.pages.downloads import downloaded
from admin.quickbooks_online.pages.link_rows import HAPPENINGS
from admin.quickbooks_online.pages.links import ENTITIES, InvoiceAdmin
from admin.quickbooks_online.runtime import engine
from store.trail import Step, read_trail
from sync.trail import COLUMNS, rows_of

SHOWN: Final = 200
"""So many of the newest steps are on the page; the file has all of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step as the page shows it."""

    at: datetime
    what: str
    outcome: str
    who: str
    """The person in Kompass who made the change."""
    made_at: str
    """When it was made in Kompass; empty for a call."""
    sent: str
    answered: str
    message: str
    intuit_tid: str


class TracedInvoiceAdmin(InvoiceAdmin):
    """The Invoices' admin with the trail of each."""

    def get_urls(self) -> list[URLPattern]:
        return [self.at("<path:object_id>/trail/", self.trail_view, "trail"), *super().get_urls()]

    def trail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the trail of a document, or give it as CSV."""
        name = self.opts.model_name
        self.require(request, f"view_{name}", f"change_{name}")
        link = self.existing(request, object_id)
        steps = steps_of(link)
        if request.GET.get("as") == "csv":
            table = [tuple(row[column] for column in COLUMNS) for row in rows_of(steps)]
            return downloaded((COLUMNS, table), f"trail-{link.reference or link.kompass_id}")
        rows = [row_of(step) for step in reversed(steps[-SHOWN:])]
        return self.page(
            request, "trail.html", f"Trail: {link}", link=link, original=link, rows=rows, more=len(steps) - len(rows)
        )


def steps_of(link: Link) -> list[Step]:
    """Read the trail of a document, oldest first."""
    with engine().connect() as db:
        found = read_trail(db, link.org_id, document=link.kompass_id)
        # Another document may have this one's id as its number.
        return [step for step in found if step.kompass_id == link.kompass_id]


def row_of(step: Step) -> Row:
    detail = step.detail
    members = detail.get("members")
    return Row(
        at=step.at,
        what=HAPPENINGS.get(step.what, step.what),
        outcome=step.outcome,
        who=_text(detail, "user"),
        made_at=_moment(_text(detail, "created")),
        sent=", ".join(map(str, members)) if isinstance(members, list) else "",
        answered=_answered(detail),
        message=step.message,
        intuit_tid=step.intuit_tid,
    )


def _answered(detail: Mapping[str, object]) -> str:
    """``Invoice 91, total 1,240.58, in home currency 1,068.02``"""
    entity = _text(detail, "entity")
    there = f"{ENTITIES.get(entity, entity)} {_text(detail, 'qbo_id')}".strip()
    named = (("total", "total"), ("home_total", "in home currency"))
    totals = [f"{words} {_amount(found)}" for name, words in named if (found := _text(detail, name))]
    return ", ".join([there, *totals] if there else totals)


def _amount(text: str) -> str:
    try:
        return f"{Decimal(text):,.2f}"
    except InvalidOperation:
        return text


def _moment(text: str) -> str:
    """Write a time of Kompass as the other times of the page; what is none stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return date_format(timezone.localtime(moment), "j M Y, H:i:s") if moment.tzinfo else text


def _text(detail: Mapping[str, object], name: str) -> str:
    value = detail.get(name)
    return "" if value is None else str(value)
