"""Companies as a claim needs them: configuration and facts, cached by the version that the database keeps for both."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from schemas.company import CompanyFacts, Configuration
from store import companies
from store.companies import ConfigurationVersion
from store.connections import CompanyConnection

# A token that expires while a call is under way would turn it into a 401 and a second try.
TOKEN_MARGIN = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Company:
    configuration: Configuration
    facts: CompanyFacts | None

    def facts_age(self, now: datetime) -> timedelta | None:
        return None if self.facts is None else now - self.facts.fetched_at


class CompanyCache:
    """Configurations with their facts, as of a version. Shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._companies: dict[str, tuple[ConfigurationVersion, Company]] = {}

    def get(self, db: Connection, version: ConfigurationVersion) -> Company | None:
        """Give an Org's company at this version; reads it when the version is new."""
        with self._lock:
            known = self._companies.get(version.org_id)
        # The whole of it: a Configuration that was deleted and made anew begins at version 1 again.
        if known is not None and known[0] == version:
            return known[1]
        configuration = companies.read_configuration(db, version.org_id)
        if configuration is None or configuration.realm_id is None:
            return None
        company = Company(configuration, companies.read_facts(db, [configuration.realm_id]).get(configuration.realm_id))
        with self._lock:
            self._companies[version.org_id] = (version, company)
        return company

    def forget(self, org_id: str) -> None:
        """Read this Org's company anew: its facts were fetched and may say the same as before."""
        with self._lock:
            self._companies.pop(org_id, None)


def token_ready(connection: CompanyConnection) -> bool:
    expires = connection.access_expires_at
    return expires is not None and expires - datetime.now(UTC) > TOKEN_MARGIN
