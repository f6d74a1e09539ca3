"""Prepare a company before anything is pushed there: read its facts, have a valid access token. `sync/tokens.py` does the refresh.

Both are single-flight across all processes, by leases in the database; no transaction is open while Intuit is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from mapping.rates import plausible
from qbo_client import company_facts as intuit_facts
from qbo_client.calls import Call, read
from qbo_client.errors import FactMissing, OAuthError, ReadFailed
from qbo_client.exchange_rates import fetch_rate
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Unauthorized
from qbo_client.queries import Send
from qbo_client.transport import Transport
from schemas.company import CompanyFacts, SalesRate, TaxCodeFact
from store import companies, connections, exchange_rates, inventory, restores
from store.connections import CompanyConnection
from store.inventory import Page
from store.restores import Wanted
from store.secrets import TokenKeys
from sync.companies import REFUSED_BY_FACTS_AGE, CompanyCache, token_ready
from sync.disconnection import disconnect
from sync.inventory import READ_AGAIN_AFTER, keep, look_through
from sync.metrics import Metrics, observe_call
from sync.permits import wait_for_permit
from sync.policy import Policy
from sync.stocktaking import take_stock
from sync.tokens import AccessTokens, Renewal, TokenRenewal, tokens_of

log = logging.getLogger(__name__)

# How long to leave a company alone whose token or facts somebody else is fetching, or could not be fetched.
SOON_S = 0.2
LATER_S = 15.0
# A token that is refused although it is this new would be refused again.
JUST_REFRESHED = timedelta(minutes=1)

Keep = Callable[[Connection], None]
"""Writes down what was read."""


class CompanyPreparation:
    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        *,
        oauth: OAuthApp,
        transport: Transport,
        keys: TokenKeys,
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._oauth = oauth
        self._transport = transport
        self._keys = keys
        self._policy = policy
        self._deadline = policy.attempts.call_deadline_seconds
        self._metrics = metrics
        self._renewal = TokenRenewal(
            engine,
            oauth,
            keys,
            owner=policy.owner,
            lease_seconds=policy.companies.refresh_lease_seconds,
            unanswered_seconds=policy.attempts.server_timeout_seconds,
        )
        self.tokens = AccessTokens(engine, keys)
        self.cache = CompanyCache()
        # True at the start: what waits for the budget since an earlier process is woken if there is some now.
        self._was_spent = policy.budget.calls is not None

    def budget_is_back(self) -> bool:
        """Whether metered reads may be made again that could not be before."""
        before, self._was_spent = self._was_spent, self.budget_is_spent()
        return before and not self._was_spent

    def budget_is_spent(self) -> bool:
        """Whether metered reads are to be left out for now."""
        if self._policy.budget.calls is None:
            return False
        with self._engine.begin() as db:
            return self._policy.budget.spent(db)

    def prepare(
        self, org_id: str, realm_id: str, *, refused_by_facts: bool = False, was_held_up: bool = False
    ) -> float:
        """Refresh the token and the facts if need be; gives the seconds for which to leave the company alone.

        :param refused_by_facts: something is refused by the facts that there are: they have to be of the last hour.
        :param was_held_up: something goes now that was held up: what was typed in meanwhile has to be known.
        """
        facts_age = min(self._policy.facts_age, REFUSED_BY_FACTS_AGE) if refused_by_facts else self._policy.facts_age
        with self._engine.begin() as db:
            connection = connections.read_connections(db, [realm_id]).get(realm_id)
        if connection is None or not connection.connected:
            return 0.0
        if not token_ready(connection) and not self._refresh(realm_id, connection.version):
            return SOON_S
        with self._engine.begin() as db:
            stale = companies.facts_are_stale(db, realm_id, older_than=facts_age)
            wanted = restores.wanted_stocktaking(db, realm_id)
            page = inventory.next_page(db, realm_id, older_than=READ_AGAIN_AFTER if was_held_up else None)
        if not stale and wanted is None and page is None:
            self.cache.forget(org_id)
            return self._read_rates(org_id, realm_id)
        if self.budget_is_spent():
            # The old facts serve; a company without any has its links put to `retrying` by the claim, and one that is unknown waits.
            self.cache.forget(org_id)
            return 0.0 if wanted is None and page is None else LATER_S
        if stale:
            return self._look(org_id, realm_id, _facts)
        if wanted is not None:
            return self._look(org_id, realm_id, partial(_stock, wanted))
        assert page is not None
        return self._look(org_id, realm_id, partial(_inventory, page))

    def _read_rates(self, org_id: str, realm_id: str) -> float:
        """Read the exchange rates that documents wait for: one metered read a currency and day, by one process."""
        with self._engine.begin() as db:
            keys, others = exchange_rates.take_wanted(db, realm_id, seconds=self._deadline * 4)
            facts = companies.read_facts(db, [realm_id]).get(realm_id)
        if not keys:
            return SOON_S if others else 0.0
        home = facts.home_currency if facts is not None else ""

        def rates(realm_id: str, send: Send) -> Keep:
            found = {
                (currency, day): plausible(fetch_rate(send, currency, day), currency, home) for currency, day in keys
            }
            return lambda db: exchange_rates.keep_rates(db, realm_id, found)

        pause = self._look(org_id, realm_id, rates)
        with self._engine.begin() as db:
            exchange_rates.release_wanted(db, realm_id, keys)
        return pause

    def try_disconnected(self, org_id: str, realm_id: str, version: int) -> bool:
        """Ask a disconnected company whether it answers again (a subscription that was paid); one refresh and one read."""
        with self._engine.begin() as db:
            refresh_token = connections.read_refresh_token(db, self._keys, realm_id=realm_id, version=version)
        if refresh_token is None:
            return False
        try:
            fresh = self._oauth.refresh(refresh_token)
        except OAuthError as error:
            log.info("company %s still does not let us in: %s", realm_id, error)
            return False
        call = read("CompanyInfo")
        outcome = self._transport.send(realm_id, fresh.access_token, call, deadline=self._deadline)
        observe_call(self._metrics, org_id, call, outcome)
        with self._engine.begin() as db:
            # The refresh token may have changed, with any answer of the company.
            connections.store_refreshed(db, self._keys, realm_id=realm_id, version=version, tokens=tokens_of(fresh))
            return isinstance(outcome, Done) and connections.reconnect(db, realm_id=realm_id, version=version + 1)

    def _refresh(self, realm_id: str, version: int) -> bool:
        """Whether the connection may be used as it is now."""
        renewed = self._renewal.renew(realm_id, version)
        if renewed.metric is not None:
            self._metrics.count("token_refreshes", outcome=renewed.metric)
        match renewed.outcome:
            case Renewal.GRANT_REFUSED:
                log.error("company %s is disconnected: %s", realm_id, renewed.said)
            case Renewal.KEYS_REFUSED:
                log.error("Intuit refuses INTUIT_CLIENT_ID and INTUIT_CLIENT_SECRET: %s", renewed.said)
            case Renewal.UNAVAILABLE:
                log.warning("tokens of company %s not refreshed: %s", realm_id, renewed.said)
            case Renewal.SUPERSEDED:
                log.warning(
                    "company %s was linked again while its tokens were refreshed; the newer ones stay", realm_id
                )
        return renewed.outcome in (Renewal.REFRESHED, Renewal.SUPERSEDED, Renewal.GRANT_REFUSED)

    def _look(self, org_id: str, realm_id: str, read: Callable[[str, Send], Keep]) -> float:
        """Read something of a company and keep it, one process at a time."""
        with self._engine.begin() as db:
            connection = connections.read_connections(db, [realm_id]).get(realm_id)
        if connection is None or not connection.connected:
            return 0.0
        token = self.tokens.get(realm_id, connection.version)
        if token is None:
            return SOON_S
        with self._engine.begin() as db:
            # Last: a process that takes it and cannot read would keep all others from reading for as long as it lasts.
            if not companies.take_facts_lease(db, realm_id=realm_id, seconds=self._deadline * 4):
                return SOON_S

        def send(call: Call) -> Outcome:
            if not wait_for_permit(self._engine, realm_id, patience=self._deadline):
                return NotSent("the company's share of Intuit's limits is used up")
            outcome = self._transport.send(realm_id, token, call, deadline=self._deadline)
            observe_call(self._metrics, org_id, call, outcome)
            return outcome

        try:
            keep = read(realm_id, send)
        except (ReadFailed, FactMissing) as error:
            log.warning("company %s cannot be read: %s", realm_id, error)
            return self._not_fetched(connection, error)
        with self._engine.begin() as db:
            keep(db)
            companies.release_facts_lease(db, realm_id=realm_id)
        self.cache.forget(org_id)
        return 0.0

    def _not_fetched(self, connection: CompanyConnection, error: ReadFailed | FactMissing) -> float:
        """What a failed read of the facts says of the connection, it says as well as a failed push."""
        realm_id, version = connection.realm_id, connection.version
        outcome = error.outcome if isinstance(error, ReadFailed) else None
        with self._engine.begin() as db:
            companies.release_facts_lease(db, realm_id=realm_id)
            if isinstance(outcome, Forbidden):
                disconnect(db, outcome, realm_id=realm_id, version=version)
                return 0.0
            if not isinstance(outcome, Unauthorized):
                return LATER_S
            connections.expire_access(db, realm_id=realm_id, version=version)
        fresh = connection.refreshed_at is not None and datetime.now(UTC) - connection.refreshed_at < JUST_REFRESHED
        return LATER_S if fresh else SOON_S


def _facts(realm_id: str, send: Send) -> Keep:
    found = facts_of(realm_id, intuit_facts.fetch_company_facts(send))
    return lambda db: companies.store_facts(db, found)


def _stock(wanted: Wanted, realm_id: str, send: Send) -> Keep:
    found = take_stock(send, wanted)
    log.info("company %s got %d objects since the backup", realm_id, len(found))
    return lambda db: restores.keep_stock(db, realm_id, wanted, found)


def _inventory(page: Page, realm_id: str, send: Send) -> Keep:
    looked = look_through(send, page)

    def keep_looked(db: Connection) -> None:
        # Facts before the configuration, whose version the last page raises.
        companies.release_facts_lease(db, realm_id=realm_id)
        keep(db, realm_id, page, looked)

    log.info("company %s: %d objects from %s %d on", realm_id, len(looked.found), page.entity, page.start)
    return keep_looked


def facts_of(realm_id: str, found: intuit_facts.CompanyFacts) -> CompanyFacts:
    """Give what Intuit says of a company as the snapshot that the mapping reads."""
    return CompanyFacts(
        realm_id=realm_id,
        name=found.name,
        country=found.country,
        home_currency=found.home_currency,
        fetched_at=datetime.now(UTC),
        multicurrency=found.multicurrency,
        tax_enabled=found.tax_enabled,
        automated_tax=found.automated_tax,
        class_per_line=found.class_per_line,
        class_per_transaction=found.class_per_transaction,
        custom_numbers=found.custom_numbers,
        book_close_date=found.book_close_date,
        tax_codes={
            code.id: TaxCodeFact(
                code.id,
                code.name,
                code.active,
                code.sales_rate,
                tuple(SalesRate.read(rate.id, rate.name, rate.base, rate.periods) for rate in code.rates),
            )
            for code in found.tax_codes
        },
        custom_fields=dict(found.custom_fields),
    )
