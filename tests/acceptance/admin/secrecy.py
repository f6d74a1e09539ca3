"""What must not be seen anywhere, and where a person could see it."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from tests.admin_site import Site


def secrets_of(site: Site) -> dict[str, str]:
    """Everything that must not be seen: keys of ours, and every token that Intuit ever gave."""
    found = dict(site.secrets)

    def tokens(world: object) -> dict[str, str]:
        authority = world.authority  # type: ignore[attr-defined]
        given = {f"access {number}": token for number, token in enumerate(authority.access_tokens)}
        given |= {f"refresh {number}": token for number, token in enumerate(authority._by_refresh)}
        return given | {f"code {number}": code for number, code in enumerate(authority.codes)}

    found |= site.simulator.call(tokens)
    for number, (access, refresh) in enumerate(site.sql("SELECT access_token, refresh_token FROM qbo_connection")):
        found |= {f"stored access {number}": access, f"stored refresh {number}": refresh}
    return {name: value for name, value in found.items() if value}


_TABLES = (
    "django_admin_log", "django_session", "qbo_history", "qbo_failure", "qbo_outbox", "qbo_mail", "qbo_notice", "qbo_attempt",
)  # fmt: skip


def leaks(site: Site, produced: Mapping[str, str]) -> list[str]:
    """Each secret that stands in what was produced, in the admin's log and metrics, or in what is kept for people to read."""
    with urllib.request.urlopen(f"http://{site.environ['METRICS_PORT']}/metrics", timeout=30) as answer:
        metrics = answer.read().decode()
    everything = {
        **produced,
        "log of the admin": site.log.read_text(),
        "metrics of the admin": metrics,
        **{table: str(site.sql(f"SELECT * FROM {table}")) for table in _TABLES},
    }
    secrets = secrets_of(site)
    assert len(secrets) > 5, "there is nothing to look for"
    return [
        f"{secret} in {place}"
        for place, text in everything.items()
        for secret, value in secrets.items()
        if value in text
    ]
