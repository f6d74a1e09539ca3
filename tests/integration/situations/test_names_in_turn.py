"""Names of a company are written one at a time, however many come, from several processes, with documents and people beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from consumers.runner import Reconciler
from qbo_client.quota import Limits
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests.integration.situations.company import SYNCED, UK_PLACE, USA_PLACE, Company
from tests.integration.situations.world import World
from tests.pipeline import open_pipeline

ONE_NAME = Limits(per_second=10_000, in_flight=1_000, per_minute=100_000)


@pytest.fixture
def processes(world: World, module_database: str) -> Iterator[Callable[[int], None]]:
    """Start so many processes over the same database, with threads and the limit on names."""
    made: list[Reconciler] = []
    opened = []

    def start(count: int) -> None:
        for _ in range(count):
            pipeline = open_pipeline(
                module_database, world.pipeline.simulator, owner=f"process-{len(made)}", limits=ONE_NAME,
                retries=RetryPolicy(), patience=Patience(),
            )  # fmt: skip
            opened.append(pipeline)
            made.append(pipeline.reconciler())
            made[-1].start()

    yield start
    assert [one.stop() for one in made] == [True] * len(made)
    for pipeline in opened:
        pipeline.close()
        pipeline.engine.dispose()


def locked(world: World, milliseconds: int) -> None:
    """Names are locked while one is written, which takes so long."""
    wanted = {"name_lock": "on", "name_write_milliseconds": milliseconds}
    world.pipeline.simulator.call(lambda intuit: intuit.change_settings(wanted))


def at_rest(*companies: Company, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    realms = {one.realm for one in companies}
    while left := [
        (row.reference, row.state, row.cause)
        for row in companies[0].pipeline.links()
        if row.realm_id in realms and (row.state in ("pending", "retrying") or row.due_since is not None)
    ]:
        assert time.monotonic() < until, left[:10]
        time.sleep(0.1)


def refused_for_the_lock(one: Company) -> int:
    calls = [row for row in one.pipeline.rows("qbo_history") if row.what == "called" and row.org_id == one.org.id]
    return sum(1 for row in calls if row.outcome == "refused" and "one name at a time" in row.message)


@pytest.mark.usefixtures("no_background_trouble")
def test_two_hundred_clients_and_fifty_vendors_share_one_list_of_names(
    world: World, processes: Callable[[int], None]
) -> None:
    """9a. Clients with a project and an invoice each; five names are a vendor's already, in other letters and spaces."""
    one = world.company(USA_PLACE)
    one.pipeline.simulator.call(lambda world: world.change_settings({"inner_spaces": "folded"}))
    for number in range(50):
        name = f"CLIENT  {number * 40}" if number < 5 else f"Vendor {number}"
        one.bookkeeper("create", entity="Vendor", members={"DisplayName": name})
    locked(world, 10)
    owners = [one.client(f"c{number}", name=f"Client {number}") for number in range(200)]
    one.say(*owners, *[one.project(f"p{number}", of=owners[number]) for number in range(0, 200, 10)])
    one.say(
        *[one.invoice(f"i{number}", of=one.project(f"p{number}", of=owners[number])) for number in range(0, 200, 10)]
    )
    processes(3)
    at_rest(one)
    customers = [row for row in one.objects("Customer") if not row.get("Job")]
    assert len(customers) == 195
    assert refused_for_the_lock(one) == 0
    assert one.causes() == ["name-taken"] * 5
    # What waits behind a taken name waits under it, without a call.
    waiting = [row for row in one.pipeline.links(org_id=one.org.id, kind="invoice") if row.state == "waiting"]
    # Which process looked first decides whether it says why its client waits.
    assert {row.cause.partition(":")[0] for row in waiting} == {"dependency"}
    assert len(one.objects("Invoice")) == 20 - len(waiting)


def test_companies_do_not_wait_for_each_others_names(world: World, processes: Callable[[int], None]) -> None:
    """9b. Three companies of three locales, twelve clients each; in the first one QuickBooks takes its time."""
    three = world.three()
    locked(world, 5)
    slow, *quick = three
    slow.trouble(kind="latency", holds="Client ", seconds=2)
    for one in three:
        one.say(*[one.client(f"c{number}", name=f"Client {number}") for number in range(12)])
    processes(2)
    at_rest(*three)
    for one in three:
        assert len(one.objects("Customer")) == 12
        assert refused_for_the_lock(one) == 0
    done = {one.realm: [one.link("client", f"c{number}").synced_at for number in range(12)] for one in three}
    assert all(max(done[one.realm]) < max(done[slow.realm]) for one in quick)


def test_a_bookkeeper_who_types_names_too_makes_nobody_fail(three: list[Company]) -> None:
    """9c. Every third write of ours meets the lock of somebody else's."""
    for one in three:
        one.trouble(kind="name_lock", probability=0.34, seed=one.number, count=12)
        one.say(*[one.client(f"c{number}", name=f"Client {number}") for number in range(20)])
        one.hours(0.5, each=60)
        assert len(one.objects("Customer")) == 20
        assert one.failures(ever=True) == []
        assert {row.state for row in one.pipeline.links(org_id=one.org.id)} == {"synced"}


@pytest.mark.parametrize("place", [UK_PLACE, USA_PLACE], ids=["UK", "USA"])
def test_a_ring_of_twenty_clients_passes_its_names_on_while_names_are_locked(
    world: World, processes: Callable[[int], None], place: object
) -> None:
    """9d. Each takes the name of the next, all in one moment."""
    one = world.company(place)  # type: ignore[arg-type]
    one.said(*[one.client(f"c{number}", name=f"Client {number}") for number in range(20)])
    locked(world, 5)
    one.say(*[one.client(f"c{number}", name=f"Client {(number + 1) % 20}") for number in range(20)])
    processes(2)
    at_rest(one)
    for number in range(20):
        assert one.there("client", f"c{number}")["DisplayName"] == f"Client {(number + 1) % 20}"
    assert one.failures(ever=True) == []
    assert refused_for_the_lock(one) == 0


def test_invoices_of_known_customers_do_not_wait_for_a_slow_name(
    world: World, processes: Callable[[int], None]
) -> None:
    """9e. A write of a name takes a second and a half; twenty invoices are due in the same company."""
    one = world.company()
    one.said(one.project())
    locked(world, 0)
    one.trouble(kind="latency", holds='"New ', seconds=1.5)
    one.say(*[one.client(f"n{number}", name=f"New {number}") for number in range(2)])
    one.say(*[one.invoice(f"i{number}") for number in range(20)])
    processes(2)
    at_rest(one)
    assert len(one.objects("Invoice")) == 20
    slow = [one.link("client", f"n{number}").synced_at for number in range(2)]
    assert max(one.link(id=f"i{number}").synced_at for number in range(20)) < min(slow)


def test_names_of_a_batch_whose_process_died_are_there_once(world: World) -> None:
    """9f. Twenty names in one request, the answer lost with the process; another process goes on after the lease."""
    one = world.company()
    one.say(*[one.client(f"c{number}", name=f"Client {number}") for number in range(20)])
    assert len(one.lost(together=30)) == 20
    one.say(one.client("after", name="After"))
    one.later()
    one.hours(1)
    assert len(one.objects("Customer")) == 21
    assert {row.state for row in one.pipeline.links(org_id=one.org.id)} == {"synced"}
    assert one.failures(ever=True) == []


def test_fifteen_clients_billed_in_two_currencies_are_thirty_customers(
    world: World, processes: Callable[[int], None]
) -> None:
    """9g. Each gets a second customer of another name, and none meets the lock."""
    one = world.company()
    locked(world, 5)
    for number in range(15):
        project = one.project(f"p{number}", of=one.client(f"c{number}", name=f"Client {number}"))
        one.say(one.invoice(f"g{number}", of=project), one.invoice(f"e{number}", of=project, currency="EUR"))
    processes(2)
    at_rest(one)
    names = sorted(row["DisplayName"] for row in one.objects("Customer") if not row.get("Job"))
    assert names == sorted(f"Client {number}{of}" for number in range(15) for of in ("", " (EUR)"))
    assert refused_for_the_lock(one) == 0
    assert {one.stands(id=f"e{number}") for number in range(15)} == {SYNCED}
