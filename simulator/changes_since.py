"""Change data capture: what has changed in a company since a moment, at most 30 days back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from simulator.clock import PACIFIC
from simulator.company import BY_PATH, TRANSACTIONS, Company
from simulator.faults import ApiFault, fault, missing
from simulator.members import Object
from simulator.selection import check_emails

REACH = timedelta(days=30)
MAXIMUM = 1_000
_NOT_CAPTURED = ("TaxCode", "TaxRate", "TaxAgency", "Preferences", "CompanyInfo")


def changed_since(company: Company, entities: str, since: str) -> Object:
    """The `CDCResponse` envelope.

    :raises ApiFault: 2020 for a parameter that is missing, 4001 for an entity or a moment that cannot be captured.
    """
    if not entities:
        raise ApiFault(missing("entities"))
    moment = _moment(company, since)
    answers: list[Object] = []
    left = MAXIMUM
    for name in entities.split(","):
        entity = BY_PATH.get(name.strip().lower())
        if entity is None or entity in _NOT_CAPTURED:
            raise fault("4001", f"QueryValidationError: {name.strip()[:100]} is not supported by change data capture")
        touched = [stored for stored in company.tables[entity].values() if _touched(stored) >= moment]
        check_emails(company, entity, touched)
        changed: list[Any] = [company.render(entity, stored) for stored in touched]
        if entity in TRANSACTIONS:
            changed += [gone for gone in company.deleted[entity].values() if _touched(gone) >= moment]
        changed.sort(key=_touched)
        changed = changed[:left]
        left -= len(changed)
        answers.append({entity: changed, "startPosition": 1, "maxResults": len(changed)} if changed else {})
    return {"CDCResponse": [{"QueryResponse": answers}]}


def _moment(company: Company, since: str) -> datetime:
    if not since:
        raise ApiFault(missing("changedSince"))
    try:
        # A plus that was not escaped arrives as a space.
        moment = datetime.fromisoformat(since.replace(" ", "+") if since.count(":") > 2 else since)
    except ValueError:
        raise fault("2060", f"Invalid Date : {since[:100]}", "changedSince") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PACIFIC)
    if company.settings.cdc_reach == "30_days" and company.clock.now() - moment > REACH:
        raise fault("4001", "QueryValidationError: changedSince can be at most 30 days ago")
    return moment


def _touched(stored: Object) -> datetime:
    return datetime.fromisoformat(stored["MetaData"]["LastUpdatedTime"])
