"""Carries a changed configuration into the links of its company."""

from __future__ import annotations

from sqlalchemy import Connection, text

from store import companies
from store.companies import SWEEP_TIMEOUT_MS
from sync import link

_LOCK_TIMEOUT_MS = 5_000


def sweep(db: Connection, configuration_id: int) -> int:
    """Carry one configuration that `companies.changed` gave into its links; gives how many became due. 0 also when another process does.

    A company that was newly linked gets its links from the records that were kept, and all it had before are decided again: what changed
    while another company was linked reached none of them.

    A transaction for each: a company of many links is locked for no longer than its own take, and fails for no other.
    """
    changed = companies.take_change(db, configuration_id)
    if changed is None or changed.realm_id is None:
        return 0
    # Everything of a company at once, and a person decided it: 100,000 links take 3 to 4 s of CPU, with their history twice that.
    db.execute(text(f"SET LOCAL statement_timeout = {SWEEP_TIMEOUT_MS}"))
    # A company whose links somebody holds is swept another time: the others wait behind it.
    db.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
    if not changed.relinked:
        return link.configuration_changed(db, org_id=changed.org_id, realm_id=changed.realm_id, version=changed.version)
    companies.take_over_links(db, org_id=changed.org_id, realm_id=changed.realm_id)
    return link.company_linked(db, org_id=changed.org_id, realm_id=changed.realm_id)
