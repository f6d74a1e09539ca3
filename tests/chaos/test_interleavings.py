"""Any interleaving of what Kompass, an admin, a bookkeeper, Intuit and the operating system do converges to the oracle."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.engine import URL

from schemas.events import Event
from simulator import Simulator, bookkeeper
from simulator.seeds import UK
from simulator.settings import Settings
from simulator.world import World, company_shown
from sync.settle import Answer
from tests.builders import UK_ORG
from tests.chaos import oracle
from tests.chaos.kompass import Kompass
from tests.chaos.surroundings import REPEAT
from tests.database import cloned_database
from tests.pipeline import LOCALES, Pipeline, open_pipeline

FAULTS: tuple[dict[str, Any] | None, ...] = (
    None,
    None,
    {"kind": "reset_after"},
    {"kind": "reset_before"},
    {"kind": "http", "status": 503},
    {"kind": "throttle"},
    {"kind": "token_death"},
    {"kind": "fault", "code": "2010", "operation": "batch"},
    {"kind": "http", "status": 500},
    {"kind": "fault", "code": "10000"},
    {"kind": "outage"},
)

OTHER = "9130347000000020001"


class Machine(RuleBasedStateMachine):
    server: URL
    template: URL

    def __init__(self) -> None:
        super().__init__()
        self._database = cloned_database(self.server, self.template)
        url = self._database.__enter__()
        # Time goes by for the pipeline and not for Intuit: nothing but a call under way is at once with another.
        intuit = Settings.from_environment(quota_enabled=False, throttle_retry_after=1, concurrent_refresh_seconds=0)
        self.simulator = Simulator(settings=intuit).start()
        self.pipeline: Pipeline = open_pipeline(url, self.simulator, lease=0.0, server_timeout=0.0)
        self.said: list[Event] = []
        self.unsettled: list[Answer] = []
        self.realm = UK
        self.mapped: dict[str, Any] = {}

    @initialize(seed=st.integers(0, 1 << 20))
    def start(self, seed: int) -> None:
        self.kompass = Kompass((UK_ORG,), random.Random(seed))
        LOCALES[OTHER] = "EU"
        self.simulator.call(lambda world: world.add_company(realm=OTHER, name="Other", like=UK, changes={}))
        for realm in (UK, OTHER):
            self.simulator.call(
                lambda world, realm=realm: setattr(world.companies[realm].profile, "warn_duplicate_numbers", False)
            )
        self._link(UK)
        self.change(4)

    def _link(self, realm: str) -> None:
        self.pipeline.link(realm=realm)
        self.realm = realm
        self._execute(
            "UPDATE qbo_configuration SET enabled = true, default_item_id = :item",
            item=self.pipeline.object_id(realm, "Item", "Surveying"),
        )
        if realm not in self.mapped:
            self.pipeline.map_vat_rate("vat-20", "20.0% S", realm=realm)
            self.mapped[realm] = next(
                row for row in self.pipeline.rows("qbo_tax_code_vat_rate") if row.realm_id == realm
            )

    def _execute(self, statement: str, **values: object) -> None:
        with self.pipeline.engine.begin() as db:
            db.execute(text(statement), values)

    # Kompass

    @rule(count=st.integers(1, 4))
    def change(self, count: int) -> None:
        events = list(self.kompass.steps(count))
        self.said += events
        self.pipeline.ingest(*events)

    @rule(which=st.randoms(use_true_random=False))
    def say_again(self, which: random.Random) -> None:
        self.pipeline.ingest(which.choice(self.said))

    # The pipeline

    @rule(
        which=st.randoms(use_true_random=False),
        fault=st.sampled_from(FAULTS),
        count=st.integers(1, 6),
        together=st.sampled_from([1, 2, 30]),
    )
    def push(self, which: random.Random, fault: dict[str, Any] | None, count: int, together: int) -> None:
        """Claim some of what is due and call; the answers wait for the process that settles them, or are lost with their process."""
        due = self.pipeline.due()
        claimed = self.pipeline.claim(which.sample(due, min(count, len(due))), together=together)
        for realm, org in claimed.unready.items():
            self.pipeline.jobs.prepare(org, realm)
        if fault is not None:
            self.simulator.call(lambda world: world.troubles.add({**fault, "count": 1}))
        self.unsettled += self.pipeline.answers(attempt for attempt in claimed.attempts if self._has_token(attempt))
        self.simulator.call(lambda world: world.troubles.remove())

    def _has_token(self, attempt: Any) -> bool:
        return self.pipeline.tokens.get(attempt.link.realm_id, attempt.connection_version) is not None

    @rule(which=st.randoms(use_true_random=False), lost=st.booleans())
    def settle(self, which: random.Random, lost: bool) -> None:
        which.shuffle(self.unsettled)
        now, self.unsettled = self.unsettled[:3], self.unsettled[3:]
        if now and not lost:
            self.pipeline.settle(*now)

    @rule()
    def sweep(self) -> None:
        self.pipeline.sweep()

    @rule()
    def let_time_go_by(self) -> None:
        self._execute("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
        self._execute("UPDATE qbo_quota_lease SET blocked_until = NULL")
        self._execute("UPDATE qbo_connection SET refresh_lease_until = NULL")
        self._execute("UPDATE qbo_company_facts SET lease_until = NULL")

    @rule()
    def forget_what_was_looked_up_late(self) -> None:
        """Ten minutes later: nothing that hangs is sent again before it was looked up."""
        self._execute("UPDATE qbo_attempt SET first_sent_at = first_sent_at - interval '4 minutes'")

    # The admin

    @rule()
    def take_the_mapping_away(self) -> None:
        self._execute("DELETE FROM qbo_tax_code_vat_rate")

    @rule()
    def give_the_mapping_back(self) -> None:
        for row in self.mapped.values():
            self._execute(
                "INSERT INTO qbo_tax_code_vat_rate (configuration_id, realm_id, vat_rate_id, tax_code_id)"
                " VALUES (:configuration, :realm, :rate, :code) ON CONFLICT DO NOTHING",
                configuration=row.configuration_id, realm=row.realm_id, rate=row.vat_rate_id, code=row.tax_code_id,
            )  # fmt: skip

    @rule(enabled=st.booleans())
    def enable(self, enabled: bool) -> None:
        self._execute("UPDATE qbo_configuration SET enabled = :enabled", enabled=enabled)

    @rule(realm=st.sampled_from([UK, UK, OTHER]))
    def link_again(self, realm: str) -> None:
        self._link(realm)

    @rule()
    def authorise_again(self) -> None:
        self._link(self.realm)

    @rule(name=st.sampled_from(["Surveying", "Design"]))
    def choose_another_item(self, name: str) -> None:
        item = self.pipeline.object_id(self.realm, "Item", name)
        self._execute("UPDATE qbo_configuration SET default_item_id = :item", item=item)

    @rule()
    def replay(self) -> None:
        """What `kompass-qbo dead-letters replay` asks of the pipeline."""
        self._execute(
            "UPDATE qbo_link SET due_at = now(), again = true WHERE id IN"
            " (SELECT link_id FROM qbo_failure WHERE closed_at IS NULL)"
        )

    @rule()
    def try_again(self) -> None:
        self._execute("UPDATE qbo_link SET due_at = now(), again = true WHERE state IN ('failed', 'waiting')")

    # QuickBooks

    @rule()
    def disconnect(self) -> None:
        def revoke(world: World) -> None:
            for grant in list(world.authority.live_grants(realm=self.realm)):
                world.authority.revoke_grant(grant.id)

        self.simulator.call(revoke)

    @rule(which=st.randoms(use_true_random=False), entity=st.sampled_from(["Customer", "Invoice", "CreditMemo"]))
    def bookkeeper_writes_something_of_his_own(self, which: random.Random, entity: str) -> None:
        found = self.pipeline.objects(entity, self.realm)
        if found:
            members = {"Fax": {"FreeFormNumber": "1"}} if entity == "Customer" else {"TrackingNum": "T1"}
            wanted = {"action": "update", "entity": entity, "id": which.choice(found)["Id"], "members": members}
            self.simulator.call(lambda world: bookkeeper.edit(world.companies[self.realm], wanted))

    # The end

    def teardown(self) -> None:
        try:
            if self.said:
                self._converge()
        finally:
            self.pipeline.close()
            self.pipeline.engine.dispose()
            self.simulator.stop()
            self._database.__exit__(None, None, None)

    def _converge(self) -> None:
        self.give_the_mapping_back()
        self._link(self.realm)
        for _ in range(3):
            self.let_time_go_by()
            self.pipeline.drive()
        for realm in (UK, OTHER):
            journal = self.simulator.call(lambda world: list(world.journal))
            assert oracle.overlapping_writes(journal) == []
            shown = self.simulator.call(lambda world, realm=realm: company_shown(world.companies[realm])["objects"])
            if realm != self.realm:
                # It stays as it was left; but nothing may be there twice.
                found = [one for one in oracle.differences(oracle.Company(), shown) if " times" in one]
            else:
                wanted = oracle.expected(self.said, {UK_ORG.id: realm})[realm]
                found = oracle.differences(wanted, shown)
            assert found == [], realm
        here = [row for row in self.pipeline.links(realm_id=self.realm) if row.state not in ("synced", "skipped")]
        assert here == []
        held = [row.qbo_id for row in self.pipeline.links(realm_id=self.realm, kind="client") if row.qbo_id]
        assert len(held) == len(set(held))


@pytest.fixture
def machine(database_server: URL, template_database: URL) -> type[Machine]:
    Machine.server, Machine.template = database_server, template_database
    return Machine


@pytest.mark.timeout(280)
def test_any_interleaving_converges(machine: type[Machine], request: pytest.FixtureRequest) -> None:
    rounds, given = request.config.getoption("--rounds", default=0), request.config.getoption("--seed", default=None)
    chosen = random.randrange(1 << 30) if rounds and given is None else given
    if chosen is not None:
        print(
            f"seed {chosen}; repeat with: {REPEAT} tests/chaos/{Path(__file__).name} --rounds {rounds} --seed {chosen}"
        )
        seed(chosen)(machine)
    else:
        print(f"the same in every run; repeat with: {REPEAT} tests/chaos/{Path(__file__).name}")
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(30, rounds // 4),
            stateful_step_count=25,
            deadline=None,
            derandomize=chosen is None,
            print_blob=True,
            phases=[Phase.explicit, Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
