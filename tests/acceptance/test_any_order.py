"""The sample events in any order end in the same books; a second delivery costs no call; payloads hold to Intuit's schema."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.command import sample_events, sample_file
from demo.expectation import expect
from demo.linking import names_by_org, sender, set_up
from demo.orgs import DEMO_ORGS
from qbo_client.oauth import TokenSet
from schemas.events import Event
from simulator import Simulator
from simulator.settings import Settings
from tests.pipeline import Pipeline, open_pipeline

# What QBO makes of an object rather than what it says: ids, versions, moments.
_MADE = {"Id", "SyncToken", "MetaData", "sparse", "domain", "time", "LinkedTxn", "PrintOnCheckName"}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return sample_events(sample_file())


@pytest.fixture
def pipeline(migrated_database: str, events: list[Event]) -> Iterator[Pipeline]:
    """All companies are linked, and nothing has come yet."""
    with _linked(migrated_database, events) as made:
        yield made


@contextmanager
def _linked(database: str, events: list[Event]) -> Iterator[Pipeline]:
    with Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit:
        made = open_pipeline(database, intuit)
        _link(made, events)
        yield made
        made.close()
        made.engine.dispose()


def _link(pipeline: Pipeline, events: Sequence[Event]) -> None:
    names = names_by_org(events)
    for rules in DEMO_ORGS:
        granted = pipeline.simulator.authorize(rules.realm_id)
        tokens = pipeline.oauth.refresh(granted["refresh_token"])
        assert isinstance(tokens, TokenSet)
        set_up(
            pipeline.engine,
            pipeline.keys,
            rules=rules,
            names=names[rules.org_id],
            tokens=tokens,
            send=sender(pipeline.transport, rules.realm_id, tokens.access_token),
            recipients=[],
        )


def _deliver(pipeline: Pipeline, events: Sequence[Event], *, at_once: int) -> None:
    for start in range(0, len(events), at_once):
        pipeline.ingest(*events[start : start + at_once])
        pipeline.drive()


def _books(pipeline: Pipeline) -> dict[str, list[str]]:
    """Every object of every company, each as one text in which references are names; voided documents left out."""
    books: dict[str, list[str]] = {}
    for rules in DEMO_ORGS:
        customers = {one["Id"]: one["DisplayName"] for one in pipeline.objects("Customer", rules.realm_id)}
        objects = []
        for entity in ("Customer", "Invoice", "CreditMemo"):
            for one in pipeline.objects(entity, rules.realm_id):
                if entity != "Customer" and one["TotalAmt"] == 0:
                    continue
                objects.append(f"{entity} {json.dumps(_named(one, customers), sort_keys=True, default=str)}")
        books[rules.company] = sorted(objects)
    return books


def _named(value: Any, customers: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: customers.get(member.get("value"), "?")
            if name in ("CustomerRef", "ParentRef") and isinstance(member, dict)
            else _named(member, customers)
            for name, member in value.items()
            if name not in _MADE
        }
    if isinstance(value, list):
        return [_named(member, customers) for member in value]
    return value


def _calls(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.path.startswith("/v3/"))


@pytest.fixture(scope="module")
def in_order(module_database: str, events: list[Event]) -> Iterator[Pipeline]:
    """The events came one after the other as the file has them, each batch pushed before the next; only to be looked at."""
    with _linked(module_database, events) as made:
        _deliver(made, events, at_once=20)
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_shuffled_copy_ends_in_the_same_books(
    pipeline: Pipeline, events: list[Event], in_order: Pipeline, seed: int
) -> None:
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    _deliver(pipeline, shuffled, at_once=50)
    assert _books(pipeline) == _books(in_order)


def test_a_second_delivery_makes_no_call_at_all(pipeline: Pipeline, events: list[Event]) -> None:
    _deliver(pipeline, events, at_once=1000)
    before = _calls(pipeline)
    _deliver(pipeline, events, at_once=1000)
    assert _calls(pipeline) == before


def test_every_payload_holds_to_the_members_and_types_of_intuits_schema(in_order: Pipeline) -> None:
    schema = json.loads((Path(__file__).parents[1] / "data" / "qbo-entities.json").read_text())["entities"]
    writes = [
        one
        for one in in_order.requests()
        if one.path.startswith("/v3/") and one.method == "POST" and one.operation not in ("query",)
    ]
    assert len(writes) > 250
    problems = [
        f"{one.operation} {one.entity}: {problem}"
        for one in writes
        for problem in _violations(json.loads(one.request_body), one.entity, schema)
    ]
    assert problems == []


def _violations(value: Any, kind: str, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    members = schema[kind]
    for name, member in value.items():
        rule = members.get(name)
        where = f"{path}{name}"
        if rule is None:
            yield f"{where} is not a member of {kind}"
            continue
        if rule.get("array"):
            if not isinstance(member, list):
                yield f"{where} is not a list"
                continue
            for one in member:
                yield from _violation(one, rule, schema, where)
        else:
            yield from _violation(member, rule, schema, where)


def _violation(value: Any, rule: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    if "ref" in rule:
        if not isinstance(value, dict):
            yield f"{where} is not an object"
        elif rule["ref"] in schema:
            yield from _violations(value, rule["ref"], schema, f"{where}.")
    elif "enum" in rule:
        if value not in rule["enum"]:
            yield f"{where} is {value!r}, which is none of {rule['enum']}"
    elif rule.get("type") == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield f"{where} is {value!r}, no number"
    elif rule.get("type") == "boolean" and not isinstance(value, bool):
        yield f"{where} is {value!r}, no boolean"
    elif rule.get("type") in ("string", "date") and not isinstance(value, str):
        yield f"{where} is {value!r}, no text"


def test_the_books_are_what_the_oracle_says(in_order: Pipeline, events: list[Event]) -> None:
    expected = expect(events, DEMO_ORGS)
    for rules in DEMO_ORGS:
        booked = {
            one["DocNumber"]
            for entity in ("Invoice", "CreditMemo")
            for one in in_order.objects(entity, rules.realm_id)
            if one["TotalAmt"] != 0
        }
        assert booked == {number for _, number in expected[rules.realm_id].documents}, rules.company
