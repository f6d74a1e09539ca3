"""The article's troubleshooting dumps: all pages of a QBO list as JSON, streamed, never more than a page in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.http import StreamingHttpResponse

from admin.quickbooks_online.companies import Company, CompanyError, error_of
from admin.quickbooks_online.models import Configuration
from qbo_client.errors import ReadFailed
from qbo_client.queries import ACTIVE_OR_NOT, equals, iterate
from store.sql import dumps


@dataclass(frozen=True, slots=True)
class Dump:
    words: str
    file: str
    entity: str
    where: tuple[str, ...]


CUSTOMERS = Dump("QBO customers", "customers", "Customer", (equals("Job", False), ACTIVE_OR_NOT))
JOBS = Dump("QBO jobs", "jobs", "Customer", (equals("Job", True), ACTIVE_OR_NOT))
INVOICES = Dump("QBO invoices", "invoices", "Invoice", ())


def download(configuration: Configuration, what: Dump) -> StreamingHttpResponse:
    """Make the download. The first page is fetched before it starts, so that a failure becomes a message and not half a file.

    Raises
    ------
    CompanyError
    """
    if not configuration.realm_id:
        raise CompanyError(
            f"{configuration} is not linked to a QuickBooks company", "Run Authorize with QuickbooksOnline first."
        )
    rows = iterate(Company(configuration.realm_id).send, what.entity, *what.where)
    try:
        first = next(rows, None)
    except ReadFailed as error:
        raise error_of(error.outcome) from error
    response = StreamingHttpResponse(
        _json(rows if first is None else chain((first,), rows)), content_type="application/json; charset=utf-8"
    )
    name = re.sub(r"[^A-Za-z0-9]+", "-", str(configuration)).strip("-").lower() or "org"
    response["Content-Disposition"] = f'attachment; filename="qbo-{what.file}-{name}.json"'
    response["Cache-Control"] = "no-store"
    return response


def _json(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    """An array with an object per line. A failure on a later page breaks the download off: the browser says it is not whole."""
    yield "["
    separator = "\n"
    for row in rows:
        yield separator + dumps(row)
        separator = ",\n"
    yield "\n]\n"
