"""The whole on one machine, as `make demo` runs it: what lands in QuickBooks is exactly what the sample events say."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.addresses import Addresses, find_addresses
from demo.books import Books
from demo.command import prove, sample_events, sample_file
from demo.embedded.ports import free_port
from demo.installation import CONSUMERS, Installation
from demo.orgs import DEMO_ORGS
from demo.samples import REJECTED
from tests.conftest import SEED
from tests.qbo_entities import strangers

pytestmark = pytest.mark.usefixtures("no_background_trouble_here")
REST_S = 200.0
WRITES = ("create", "update", "void")


def free_addresses() -> Addresses:
    """Ports of the test's own: the documented ones may be a developer's demo."""
    return replace(
        find_addresses(),
        postgres=free_port(),
        broker=free_port(),
        simulator=free_port(),
        mail=free_port(),
        admin=free_port(),
        metrics={name: free_port() for name in (*CONSUMERS, "notify", "admin")},
    )


def started(logs: Path) -> Installation:
    """An installation that is up, linked and consuming; the caller enters it and closes it."""
    installation = Installation(free_addresses(), logs=logs)
    installation.__enter__()
    try:
        installation.start_surroundings()
        installation.link(DEMO_ORGS, sample_events(sample_file()))
        installation.start_admin()
        installation.start_consumers()
    except BaseException:
        installation.__exit__(None, None, None)
        raise
    return installation


def publish_in_parts(installation: Installation, directory: Path, *parts: list[bytes]) -> None:
    for number, lines in enumerate(parts, start=1):
        path = directory / f"part-{number}.jsonl"
        path.write_bytes(b"".join(lines))
        installation.publish(path)
        installation.wait_until_at_rest(timeout=REST_S)


def lines_of_sample() -> list[bytes]:
    return sample_file().read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo at rest, published in two parts so that edits and voids come after what they change was sent."""
    directory = tmp_path_factory.mktemp("demo")
    installation = started(directory)
    try:
        lines = lines_of_sample()
        middle = int(len(lines) * 0.85)
        publish_in_parts(installation, directory, lines[:middle], lines[middle:])
        yield installation
    finally:
        installation.__exit__(None, None, None)


@pytest.fixture(scope="module")
def requests(demo: Installation) -> list[dict[str, Any]]:
    """Every request that the consumers made, with bodies."""
    return journal(demo)


def journal(installation: Installation, method: str = "GET") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(installation, "requests", method=method).get("requests", [])
    return [one for one in found if one["realm"]]


def writes(requests: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Give (entity, operation, members, whether it was done) of each object that was written, in a batch or on its own."""
    for one in requests:
        if one["operation"] in WRITES:
            yield one["entity"], one["operation"], one["request"], one["committed"]
        elif one["operation"] == "batch":
            # A batch that is refused as a whole answers for none.
            answers = {answer["bId"]: answer for answer in one["response"].get("BatchItemResponse", ())}
            for item in one["request"]["BatchItemRequest"]:
                (entity,) = item.keys() - {"bId", "operation"}
                yield entity, item["operation"], item[entity], entity in answers.get(item["bId"], ())


def ask(installation: Installation, control: str, body: dict[str, Any] | None = None, *, method: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{installation.simulator_url}/_simulator/{control}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        decoded: dict[str, Any] = json.loads(answer.read())
    return decoded


@pytest.fixture(scope="module")
def books(demo: Installation, requests: list[dict[str, Any]]) -> dict[str, Books]:
    """What stands in each company; read after the consumers' requests were counted."""
    return demo.read_books(DEMO_ORGS)


def test_what_is_in_quickbooks_is_exactly_what_the_events_say(demo: Installation, books: dict[str, Books]) -> None:
    assert prove(demo, sample_events(sample_file())) == {rules.company: [] for rules in DEMO_ORGS}


def test_the_sample_shows_what_it_should(requests: list[dict[str, Any]], books: dict[str, Books]) -> None:
    done = Counter((entity, operation) for entity, operation, _, was_done in writes(requests) if was_done)

    assert sum(len(one.customers) for one in books.values()) >= 40 + 60
    assert sum(len(found) for one in books.values() for found in one.documents.values()) >= 200
    assert done["Invoice", "create"] >= 180
    assert done["CreditMemo", "create"] >= 5
    assert done["Invoice", "update"] >= 3
    assert done["Invoice", "void"] >= 3
    for rules in DEMO_ORGS:
        currencies = {found.currency for found in books[rules.realm_id].customers.values()}
        assert (len(currencies) > 1) == rules.multicurrency


def test_one_object_for_each_record(requests: list[dict[str, Any]]) -> None:
    created = [
        members.get("PrivateNote") for _, operation, members, done in writes(requests) if done and operation == "create"
    ]
    documents = [note for note in created if note]

    assert len(documents) >= 180
    assert len(set(documents)) == len(documents)


def test_every_request_body_has_only_members_and_types_of_intuits_schema(requests: list[dict[str, Any]]) -> None:
    bodies = [(entity, members) for entity, _, members, _ in writes(requests)]

    assert len(bodies) > 300
    assert [line for entity, body in bodies for line in strangers(entity, body)] == []


@pytest.mark.parametrize(
    ("entity", "body", "words"),
    [
        ("Invoice", {"DocNumbr": "1"}, "Invoice.DocNumbr: Invoice has no such member"),
        ("Invoice", {"Line": [{"Amount": "1.00"}]}, "Invoice.Line[0].Amount: '1.00' is not of type number"),
        ("Invoice", {"GlobalTaxCalculation": "Excluded"}, "is not one of"),
        ("Customer", {"Job": 1}, "Customer.Job: 1 is not of type boolean"),
        ("Customer", {"BillAddr": "1 Road"}, "an object is expected"),
    ],
)
def test_a_member_that_intuit_does_not_know_would_be_found(entity: str, body: dict[str, Any], words: str) -> None:
    (found,) = strangers(entity, body)

    assert words in found


def test_what_must_be_rejected_is_and_says_what_to_do(demo: Installation) -> None:
    with demo.engine.connect() as db:
        found = {
            (row.org_id, row.kind, row.reference): row
            for row in db.exec_driver_sql("SELECT * FROM qbo_failure WHERE closed_at IS NULL AND stage <> 'decode'")
        }

    assert found.keys() == {(one.org_id, one.kind.value, one.name) for one in REJECTED if one.behind is None}
    for row in found.values():
        assert row.message, row
        assert row.remedy, row


def test_the_admin_site_and_every_process_answer(demo: Installation) -> None:
    for url in (
        f"{demo.settings.public_url}/admin/login/",
        *(
            f"http://127.0.0.1:{demo.addresses.metrics[what]}/{page}"
            for what in CONSUMERS
            for page in ("metrics", "livez", "readyz")
        ),
    ):
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200, url


def test_publishing_the_same_file_again_makes_no_call(demo: Installation, books: dict[str, Books]) -> None:
    journal(demo, "DELETE")

    demo.publish(sample_file(), name="publish-again")
    demo.wait_until_at_rest(timeout=REST_S)

    assert journal(demo) == []


def test_a_shuffled_copy_ends_in_the_same_books(
    books: dict[str, Books], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("shuffled")
    lines = lines_of_sample()
    random.Random(SEED).shuffle(lines)
    installation = started(directory)
    try:
        publish_in_parts(installation, directory, lines)
        shuffled = installation.read_books(DEMO_ORGS)
    finally:
        installation.__exit__(None, None, None)

    for rules in DEMO_ORGS:
        one, other = books[rules.realm_id].standing(), shuffled[rules.realm_id].standing()
        assert other.customers == one.customers
        assert other.documents == one.documents


def test_the_proof_finds_what_a_bookkeeper_did(demo: Installation) -> None:
    """The last test on this demo: it spoils the books."""
    uk = next(rules for rules in DEMO_ORGS if rules.locale == "EU")
    state = ask(demo, f"state?realm={uk.realm_id}", method="GET")
    first, second = [one for one in state["objects"]["Invoice"] if one["TotalAmt"]][:2]
    for edit in (
        {"action": "void", "entity": "Invoice", "id": first["Id"]},
        {"action": "update", "entity": "Invoice", "id": second["Id"], "members": {"DueDate": "2030-01-01"}},
    ):
        ask(demo, "bookkeeper", {"realm": uk.realm_id, **edit}, method="POST")

    found = prove(demo, sample_events(sample_file()))

    assert len(found.pop(uk.company)) == 2
    assert not any(found.values())


def test_the_command_runs_it_all_and_exits_with_0(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "consumers", "demo"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "what is in QuickBooks is exactly what they say" in ended.stdout
    for heading in ("created", "updated", "voided", "skipped", "failed", "admin", "metrics", "simulator"):
        assert heading in ended.stdout
    for rules in DEMO_ORGS:
        assert rules.company in ended.stdout
