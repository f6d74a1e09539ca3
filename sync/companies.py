"""Companies as a claim needs them: configuration and facts, cached by the version that the database keeps for both."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from schemas.company import CompanyFacts, Configuration
from store import companies, restores
from store.companies import ConfigurationVersion
from store.connections import CompanyConnection

# A token that expires while a call is under way would turn it into a 401 and a second try.
TOKEN_MARGIN = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Company:
    configuration: Configuration
    facts: CompanyFacts | None
    unknown: bool = False
    """The database was restored, and what the company got since the backup has not been looked through yet."""
    stocked: bool = False
    """It has been, and something is there that no link stands for."""

    def facts_age(self, now: datetime) -> timedelta | None:
        return None if self.facts is None else now - self.facts.fetched_at


class CompanyCache:
    """Configurations with their facts, as of a version. Shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._companies: dict[str, tuple[ConfigurationVersion, Company]] = {}

    def get(self, db: Connection, versions: Collection[ConfigurationVersion]) -> dict[str, Company]:
        """Give the companies of these Orgs at these versions; reads those whose version is new, all of them together."""
        with self._lock:
            # The whole of it: a Configuration that was deleted and made anew begins at version 1 again.
            found = {
                version.org_id: known[1]
                for version in versions
                if (known := self._companies.get(version.org_id)) is not None and known[0] == version
            }
        missing = {version.org_id: version for version in versions if version.org_id not in found}
        if not missing:
            return found
        configurations = companies.read_configurations(db, missing)
        realms = {one.realm_id for one in configurations.values() if one.realm_id is not None}
        facts = companies.read_facts(db, realms)
        after = restores.standings(db, realms)
        read = {
            org_id: Company(
                one, facts.get(one.realm_id), unknown=after[one.realm_id].unknown, stocked=after[one.realm_id].stocked
            )
            for org_id, one in configurations.items()
            if one.realm_id is not None
        }
        with self._lock:
            self._companies |= {org_id: (missing[org_id], company) for org_id, company in read.items()}
        return found | read

    def forget(self, org_id: str) -> None:
        """Read this Org's company anew: its facts were fetched and may say the same as before."""
        with self._lock:
            self._companies.pop(org_id, None)


def token_ready(connection: CompanyConnection) -> bool:
    expires = connection.access_expires_at
    return expires is not None and expires - datetime.now(UTC) > TOKEN_MARGIN
