"""Companies as a claim needs them: configuration and facts, cached by the version that the database keeps for both."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from mapping.decisions import DEPENDENCY, Decision, Fail, Nothing, Wait, Withdraw
from schemas.company import CompanyFacts, Configuration
from store import companies, restores
from store.companies import ConfigurationVersion
from store.connections import CompanyConnection, Tokens

# The causes of a refusal that rest on what the company said of itself: by then it may say something else.
REST_ON_FACTS = frozenset(
    {
        "no-multicurrency", "tax-code-inactive", "tax-code-unknown", "tax-not-booked", "custom-field-unknown", "books-closed",
        "tax-refused", "custom-field-refused", "feature-off", "business-rule", "number-taken", "not-taken",
    }
)  # fmt: skip
CONTRADICTS_FACTS = frozenset({"books-closed", "tax-refused", "custom-field-refused", "feature-off"})
"""Causes of refusals by QuickBooks that contradict the facts: by right facts nothing would have been sent."""
REFUSED_BY_FACTS_AGE = timedelta(hours=1)
"""Nothing is refused by older facts: at most four metered reads an hour in a company, and only where something is refused."""


def rests_on_facts(cause: str) -> bool:
    return cause.partition(":")[0] in REST_ON_FACTS


def refetch_facts_for(db: Connection, link_ids: Collection[int]) -> None:
    """A person wants these links tried again: what their refusals rest on is asked for again first."""
    for realm_id in sorted(companies.realms_refused(db, link_ids, causes=REST_ON_FACTS)):
        companies.mark_facts_stale(db, realm_id, asked=True)


# A token that expires while a call is under way would turn it into a 401 and a second try.
TOKEN_MARGIN = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Company:
    configuration: Configuration
    facts: CompanyFacts | None
    refetch_at: datetime | None = None
    """From when on its facts are to be fetched again, although they are not old."""
    unknown: bool = False
    """It has still to be looked through: it was newly linked, or the database was restored."""
    stocked: bool = False
    """After a restore something was found there that no link stands for."""
    known_at: datetime | None = None
    """When it was looked through last: what it had by then is known. None when it was not looked through."""

    def has_facts(self, now: datetime, *, newer_than: timedelta) -> bool:
        """Whether there are facts to decide by that are not older than this, and that nobody wants again."""
        if self.facts is None or now - self.facts.fetched_at > newer_than:
            return False
        return self.refetch_at is None or self.refetch_at > now


def asks_company_first(company: Company, decision: Decision, *, now: datetime, facts_age: timedelta) -> bool:
    """Whether the facts are to be read again before a decision counts that would otherwise end the matter.

    A refusal by facts has to rest on those of the last hour, and so has what waits for a record that was refused by them. Nothing
    counts as done while an answer or a person has asked for them.
    """
    match decision:
        case Nothing():
            return company.refetch_at is not None and company.refetch_at <= now
        case Withdraw():
            # Whether its period is closed: then a person has to choose.
            return not company.has_facts(now, newer_than=facts_age)
        case Fail(problems):
            causes = [one.cause for one in problems]
        case Wait(cause):
            causes = [cause.removeprefix(DEPENDENCY)]
        case _:
            return False
    old = not company.has_facts(now, newer_than=min(REFUSED_BY_FACTS_AGE, facts_age))
    return old and any(map(rests_on_facts, causes))


def read_company(db: Connection, org_id: str) -> Company | None:
    """Give an Org's configuration, with its company's facts where there are any; None without a configuration."""
    configuration = companies.read_configuration(db, org_id)
    if configuration is None:
        return None
    realm_id = configuration.realm_id
    if not realm_id:
        return Company(configuration, None)
    known_at = restores.standings(db, [realm_id])[realm_id].known_at
    return Company(configuration, companies.read_facts(db, [realm_id]).get(realm_id), known_at=known_at)


class CompanyCache:
    """Configurations with their facts, as of a version. Shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._companies: dict[str, tuple[ConfigurationVersion, Company]] = {}

    def get(self, db: Connection, versions: Collection[ConfigurationVersion]) -> dict[str, Company]:
        """Give the companies of these Orgs at these versions; reads those whose version is new, all of them together."""
        with self._lock:
            # The whole of it: a Configuration that was deleted and made again begins at version 1 again.
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
                one,
                facts.get(one.realm_id),
                missing[org_id].refetch_at,
                unknown=after[one.realm_id].unknown,
                stocked=after[one.realm_id].stocked,
                known_at=after[one.realm_id].known_at,
            )
            for org_id, one in configurations.items()
            if one.realm_id is not None
        }
        with self._lock:
            self._companies |= {org_id: (missing[org_id], company) for org_id, company in read.items()}
        return found | read

    def forget(self, org_id: str) -> None:
        """Read this Org's company again: its facts were fetched and may say the same as before."""
        with self._lock:
            self._companies.pop(org_id, None)


def unless_connected(connection: CompanyConnection | None) -> Wait | None:
    """Give what calls to a company wait for that is not authorised; None while it is."""
    if connection is not None and connection.connected:
        return None
    said = connection.disconnect_message if connection is not None else ""
    return Wait("disconnected", said or "the connection to QuickBooks has ended")


def token_ready(tokens: CompanyConnection | Tokens) -> bool:
    """Whether the access token outlasts a call."""
    expires = tokens.access_expires_at
    return expires is not None and expires - datetime.now(UTC) > TOKEN_MARGIN
