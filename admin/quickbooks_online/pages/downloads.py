"""Tables as files that a browser saves."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponse

from admin.quickbooks_online.sheets import write_sheet
from admin.quickbooks_online.workbooks import write_workbook

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def downloaded(
    table: tuple[Sequence[str], Sequence[Sequence[str]]], name: str, *, workbook: bool = False
) -> HttpResponse:
    """Give a table as CSV or as an Excel workbook."""
    content = write_workbook(*table) if workbook else write_sheet(*table)
    response = HttpResponse(content, content_type=XLSX if workbook else CSV)
    response["Content-Disposition"] = f'attachment; filename="{name}.{"xlsx" if workbook else "csv"}"'
    return response
