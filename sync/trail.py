"""The trail as rows: what `kompass-qbo trail` and the admin's page share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mapping.texts import harmless
from store.trail import Step

COLUMNS: Final = (
    "document", "kompass_id", "date", "client", "at", "what", "outcome", "changed_by", "changed_at", "sequence", "operation",
    "members", "entity", "qbo_id", "sync_token", "total", "home_total", "intuit_tid", "message", "kind", "dated", "changed",
)  # fmt: skip


def rows_of(steps: Iterable[Step]) -> Iterator[Mapping[str, str]]:
    """Give a row of the file for each step."""
    for one in steps:
        detail = one.detail
        members = detail.get("members")
        yield {
            "document": harmless(one.reference),
            "kompass_id": harmless(one.kompass_id),
            "date": one.date or "",
            "kind": one.kind,
            "dated": _text(detail.get("date")),
            "changed": harmless(changed_in_words(detail)),
            "client": harmless(one.client or ""),
            "at": one.at.isoformat(timespec="milliseconds"),
            "what": one.what,
            "outcome": one.outcome,
            "changed_by": harmless(_text(detail.get("user"))),
            "changed_at": _text(detail.get("created")),
            "members": " ".join(map(str, members)) if isinstance(members, list) else "",
            "intuit_tid": one.intuit_tid,
            "message": harmless(one.message),
            **{
                name: _text(detail.get(name))
                for name in ("sequence", "operation", "entity", "qbo_id", "sync_token", "total")
            },
            "home_total": _text(detail.get("home_total", detail.get("total"))),
        }


def changed_in_words(detail: Mapping[str, object]) -> str:
    """Say what an event changed of a client or project, ``email; vat_number was GB1, is GB2``, or that it deleted a record."""
    if detail.get("deleted"):
        return "deleted"
    members = detail.get("changed")
    return "; ".join(
        f"{name} was {values[0] or 'nothing'}, is {values[1] or 'nothing'}" if values else str(name)
        for name, values in sorted(members.items() if isinstance(members, Mapping) else ())
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
