"""Orgs that are set up, linked and synced, and have had nothing to do for days."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

KINDS: Final = ("client", "project", "invoice")

_STATEMENTS: Final = (
    "INSERT INTO qbo_org (id, name) SELECT 'idle-' || n, 'Idle ' || n FROM generate_series(1, :count) n",
    "INSERT INTO qbo_configuration (org_id, locale, enabled, realm_id)"
    " SELECT 'idle-' || n, 'EU', true, 'realm-' || n FROM generate_series(1, :count) n",
    "INSERT INTO qbo_connection (configuration_id, realm_id, company_name, refreshed_at, refresh_expires_at)"
    " SELECT id, realm_id, 'Idle', now() - interval '50 days', now() + interval '50 days'"
    " FROM qbo_configuration WHERE org_id LIKE 'idle-%'",
    "INSERT INTO qbo_sweep (configuration_id, version, realm_id)"
    " SELECT id, version, realm_id FROM qbo_configuration WHERE org_id LIKE 'idle-%'",
    "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, state, entity, qbo_id, synced_at, event_created_at, decided_version)"
    " SELECT 'idle-' || n, 'realm-' || n, kind, kind || n, 'synced', 'Customer', '1', now() - interval '9 days',"
    " now() - interval '9 days', 1 FROM generate_series(1, :count) n, unnest(CAST(:kinds AS text[])) kind",
)


def idle_orgs(db: Connection, count: int) -> None:
    """Make so many, each with a synced client, project and invoice."""
    for statement in _STATEMENTS:
        db.execute(text(statement), {"count": count, "kinds": list(KINDS)})
    db.execute(text("ANALYZE"))
