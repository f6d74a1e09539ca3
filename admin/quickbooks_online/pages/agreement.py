"""The agreement sheet that a bookkeeper files at month end: shown, printed, or as CSV."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.formats import date_format

from admin.quickbooks_online.agreement import keep_sheet, make_sheet
from admin.quickbooks_online.companies import CompanyError
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.pages.base import SectionAdmin
from mapping.sheet import Amounts, Line, Sheet, Standing, Sums, blocks
from mapping.sheet_rows import as_csv


class MonthForm(forms.Form):
    month = forms.RegexField(
        regex=r"^20\d\d-(0[1-9]|1[0-2])$",
        widget=forms.DateInput(attrs={"type": "month", "class": "vTextField", "pattern": r"20\d\d-(0[1-9]|1[0-2])"}),
        help_text="By the documents' dates, such as 2026-03.",
        error_messages={"invalid": "Give a month as 2026-03."},
    )

    def first(self) -> dt.date:
        return dt.date.fromisoformat(f"{self.cleaned_data['month']}-01")


@dataclass(frozen=True, slots=True)
class Part:
    """A block of the sheet."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """What both sides have of a currency, a client or a tax code."""

    name: str
    kompass: Amounts
    quickbooks: Amounts

    @property
    def difference(self) -> Amounts:
        return self.quickbooks - self.kompass


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    sums: tuple[Sum, ...]


class AgreementPages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        return [self.at("<path:object_id>/agreement/", self.agreement_view, "agreement"), *super().get_urls()]

    def agreement_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a month; with POST, read QuickBooks and show the sheet, or give it as CSV."""
        self.require(request, "agree_configuration")
        configuration = self.existing(request, object_id)
        # The month that a bookkeeper closes is the one before.
        last = timezone.localdate().replace(day=1) - dt.timedelta(days=1)
        form = MonthForm(request.POST or None, initial={"month": f"{last:%Y-%m}"})
        sheet: Sheet | None = None
        if request.method == "POST" and form.is_valid():
            try:
                sheet = make_sheet(configuration, form.first())
            except CompanyError as error:
                messages.error(request, f"QuickBooks could not be read: {error.sentence}")
            if sheet is not None and "file" in request.POST:
                sheet = self._file(request, configuration, sheet, form.first())
            if sheet is not None and "csv" in request.POST:
                return _download(sheet)
        return self.page(
            request,
            "agreement.html",
            f"Agreement sheet: {configuration}",
            configuration=configuration,
            original=configuration,
            form=form,
            sheet=sheet,
            month_words=date_format(dt.date.fromisoformat(f"{sheet.month}-01"), "F Y") if sheet is not None else "",
            parts=_parts(sheet) if sheet is not None else (),
            tables=_tables(sheet) if sheet is not None else (),
            home=sheet.home() if sheet is not None else (),
            without_rate=sheet.without_rate() if sheet is not None else {},
            hand_typed=sheet.hand_typed() if sheet is not None else {},
            not_sent=len(sheet.of(Standing.NOT_SENT)) if sheet is not None else 0,
        )

    def _file(self, request: HttpRequest, configuration: Configuration, sheet: Sheet, month: dt.date) -> Sheet:
        """Keep the sheet as it is; of a month that is filed already nothing is kept."""
        if keep_sheet(configuration, sheet, by=request.user.get_username()):
            self.log_change(request, configuration, f"Filed {sheet.month}.")
            messages.success(request, _file_words(sheet))
        else:
            messages.warning(request, f"{sheet.month} was filed before; the first filing stands.")
        return make_sheet(configuration, month)


def _file_words(sheet: Sheet) -> str:
    return f"{sheet.month} is filed as it is now. What changes in it from here on is shown with its sheet."


def _parts(sheet: Sheet) -> list[Part]:
    return [Part(title, tuple(lines)) for title, lines in blocks(sheet)]


def _tables(sheet: Sheet) -> list[Table]:
    def table(title: str, sums: Sums) -> Table:
        return Table(title, tuple(Sum(name, *both) for name, both in sums.items()))

    tables = (
        table("Sums of what belongs in the month", sheet.totals()),
        table("By client", sheet.by_client()),
        table("By tax code", sheet.by_tax_code()),
    )
    return [one for one in tables if one.sums]


def _download(sheet: Sheet) -> HttpResponse:
    # With the mark by which spreadsheets know UTF-8.
    response = HttpResponse("\ufeff" + as_csv(sheet), content_type="text/csv; charset=utf-8")
    name = re.sub(r"[^A-Za-z0-9]+", "-", sheet.org_name).strip("-").lower() or "org"
    response["Content-Disposition"] = f'attachment; filename="agreement-{name}-{sheet.month}.csv"'
    response["Cache-Control"] = "no-store"
    return response
