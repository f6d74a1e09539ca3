"""Looks through a company after a restore: everything it got since the backup that the restored links may not know of."""

from __future__ import annotations

from typing import Any, Final

from mapping.invoice import marked_id
from qbo_client.queries import Send, compare, iterate, one_of
from store.restores import Found, Wanted

_ENTITIES: Final = ("Customer", "Invoice", "CreditMemo")


def take_stock(send: Send, wanted: Wanted) -> list[Found]:
    """Read what was made since the backup: a metered call for each thousand, three at least. Raises `ReadFailed`."""
    made = compare("MetaData.CreateTime", ">=", wanted.since.isoformat(timespec="seconds"))
    found = []
    for entity in _ENTITIES:
        conditions = (made, one_of("Active", (True, False))) if entity == "Customer" else (made,)
        for row in iterate(send, entity, *conditions, order_by="MetaData.CreateTime"):
            body: dict[str, Any] = dict(row)
            found.append(
                Found(
                    entity=entity,
                    qbo_id=str(body["Id"]),
                    name=str(body.get("DisplayName", "")),
                    kompass_id=marked_id(str(body.get("PrivateNote", ""))) or "",
                    body=body,
                )
            )
    return found
