"""The date from which documents are sent, and enabling from it: the person who comes second changes nothing that was decided meanwhile."""

from __future__ import annotations

import datetime as dt

from django import forms

from admin.quickbooks_online.forms import DayInput
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.opened import Opened, who_changed


class StartDateForm(forms.Form):
    start_date = forms.DateField(
        label="Send documents dated from",
        widget=DayInput(),
        help_text="Earlier ones are never sent, so that nothing that was typed into QuickBooks by hand is booked twice.",
    )


def enable(configuration: Configuration, start: dt.date, was: Opened | None) -> bool:
    """Enable from this date; not when another person enabled it or stored another date after the page was opened."""
    rows = Configuration.objects.filter(pk=configuration.pk, enabled=False)
    if was is not None:
        rows = rows.filter(start_date=read_day(was.values["start_date"]))
    return bool(rows.update(enabled=True, start_date=start))


def not_enabled(configuration: Configuration, was: Opened | None) -> str:
    configuration.refresh_from_db()
    if configuration.enabled or was is None:
        return f"{configuration} is enabled already. Nothing was changed."
    now = f"Start date: {was.values['start_date'] or 'empty'} → {iso(configuration.start_date) or 'empty'}"
    return (
        f"It was not enabled: {who_changed(configuration, since=was.at)} after you opened this page. Changed: {now}. "
        "Check the date, then enable again."
    )


def iso(day: dt.date | None) -> str:
    return day.isoformat() if day is not None else ""


def read_day(value: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value or "")
    except ValueError:
        return None
