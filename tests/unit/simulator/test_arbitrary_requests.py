"""To every request, the simulator answers with Intuit's own faults, takes no unknown member, and changes nothing it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator import CANADA, UK, USA, Settings
from simulator.accounting import PREFIX, execute, understand
from simulator.clock import Clock
from simulator.company import SINGLETONS, Company
from simulator.members import catalogue, clean
from simulator.operations import WRITABLE
from simulator.requestids import Answer, RequestIds
from simulator.seeds import companies
from simulator.settings import choices

from .conftest import MORNING

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(
        ["1", "6", "TAX", "NON", "2026-03-10", "SalesItemLineDetail", "StringType", "", "1e400", "0.005", "GBP"]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def members_of(entity: str, depth: int = 0, *, most: int = 6) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with members of `entity`, mostly of the right type, sometimes of a wrong one."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        known = catalogue()[entity]
        names = (
            draw(st.lists(st.sampled_from(sorted(known)), max_size=most if depth == 0 else 3, unique=True))
            if known
            else []
        )
        if depth == 0 and most > 3:
            names += [name for name in _LIKELY if name in known and draw(st.booleans())]
        return {name: draw(value_of(known[name], depth)) for name in names}

    return build()


_LIKELY = (
    "CustomerRef",
    "Line",
    "DisplayName",
    "Name",
    "TotalAmt",
    "Id",
    "SyncToken",
    "sparse",
    "GlobalTaxCalculation",
)


def value_of(kind: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if "ref" in kind:
        inner = members_of(kind["ref"], depth + 1) if depth < 3 else st.just({})
        if kind["ref"] == "ReferenceType":
            inner = st.fixed_dictionaries({"value": st.sampled_from(["1", "6", "7", "TAX", "999", ""])})
        right: st.SearchStrategy[Any] = st.lists(inner, max_size=3) if kind.get("array") else inner
    elif "enum" in kind:
        right = st.sampled_from(kind["enum"])
    else:
        right = {
            "boolean": st.booleans(),
            "integer": st.integers(-5, 5000),
            "number": st.decimals(-1000, 100000, places=2).map(float),
            "date": st.dates().map(str),
            "dateTime": st.datetimes().map(str),
        }.get(kind["type"], st.sampled_from(["1", "6", "Larch", "0"]) | st.text("aé: \t,.'", max_size=40))
    # One value in sixteen is of any kind at all.
    return st.integers(0, 15).flatmap(lambda chance: JSON if chance == 0 else right)


PLAUSIBLE: dict[str, Any] = {
    "DisplayName": "New",
    "Name": "New",
    "DueDays": 5,
    "IncomeAccountRef": {"value": "1"},
    "CustomerRef": {"value": "6"},
    "CurrencyRef": {"value": ""},
    "TotalAmt": 5,
    "Line": [
        {
            "Amount": 1,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "TaxCodeRef": {"value": "1"}},
        }
    ],
    "BillAddr": {"Line1": "1 High Street"},
}


def plausible(entity: str, realm: str = USA) -> dict[str, Any]:
    """A create that is taken."""
    members: dict[str, Any] = orjson.loads(
        orjson.dumps({key: value for key, value in PLAUSIBLE.items() if key in catalogue()[entity]})
    )
    if "CurrencyRef" in members:
        members["CurrencyRef"] = {"value": {USA: "USD", UK: "GBP", CANADA: "CAD"}[realm]}
    if entity == "Payment":
        members["Line"] = []
    elif "Line" in members and realm == USA:
        del members["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"]
    return members


def send(company: Company, entity: str, query: dict[str, str], payload: Any) -> Answer:
    path = f"{PREFIX}{company.profile.realm}/{entity.lower()}"
    call = understand("POST", path, query, orjson.dumps(payload), "application/json")
    return execute(company, call, RequestIds(company.clock))


def new_company(realm: str, switches: dict[str, Any]) -> Company:
    company = companies(Clock(start=MORNING), Settings(**switches))[realm]
    for name in ("Larch", "Birch"):
        assert send(company, "Customer", {}, {"DisplayName": name}).status == 200
    return company


def snapshot(company: Company) -> bytes:
    return orjson.dumps([company.tables, company.deleted, company.counters, company.profile.last_number])


SWITCHES = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in choices().items()})


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), realm=st.sampled_from([USA, UK, CANADA]), entity=st.sampled_from(WRITABLE), switches=SWITCHES)
def test_arbitrary_members_are_answered_without_an_error_of_our_own(
    data: st.DataObject, realm: str, entity: str, switches: dict[str, Any]
) -> None:
    company = new_company(realm, switches)
    query = data.draw(st.sampled_from([{}, {"operation": "update"}, {"operation": "void"}, {"operation": "delete"}]))
    payload = data.draw(members_of(entity))
    if data.draw(st.integers(0, 3)):
        payload = data.draw(members_of(entity, most=2))
        made = send(company, entity, {}, plausible(entity, realm))
        assert made.status == 200
        stored = orjson.loads(made.body)[entity]
        named = {"Id": stored["Id"], "SyncToken": stored["SyncToken"]}
        # What is drawn lies over what is there, or over what is sent to make another one.
        payload = (
            {**payload, **named}
            if query
            else {**plausible(entity, realm), "DisplayName": "Newer", "Name": "Newer", **payload}
        )
        payload = {key: value for key, value in payload.items() if key in catalogue()[entity]}
    before = snapshot(company)
    answer = send(company, entity, query, payload)
    body = orjson.loads(answer.body)
    if answer.codes:
        assert answer.status in (400, 200)
        assert snapshot(company) == before
    else:
        assert answer.status == 200
        shown = body[entity]
        # What is shown holds only what the schema knows, of the types it knows.
        assert clean(entity, shown) == shown


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data(), entity=st.sampled_from(WRITABLE), name=st.text(min_size=1, max_size=20))
def test_no_unknown_member_is_accepted(data: st.DataObject, entity: str, name: str) -> None:
    company = new_company(USA, {})
    payload = plausible(entity)
    places = [(entity, payload)]
    if "BillAddr" in payload:
        places.append(("PhysicalAddress", payload["BillAddr"]))
    if payload.get("Line"):
        places += [("Line", payload["Line"][0]), ("SalesItemLineDetail", payload["Line"][0]["SalesItemLineDetail"])]
    kind, place = data.draw(st.sampled_from(places))
    if name in catalogue()[kind]:
        return
    place[name] = data.draw(JSON)
    answer = send(company, entity, {}, payload)
    assert (answer.status, answer.codes[0]) == (400, "2010")
    del place[name]
    assert send(company, entity, {}, payload).status == 200


def places(kind: str, members: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object in `members`, at any depth, with what the schema calls it."""
    yield kind, members
    for name, value in members.items():
        inner = catalogue()[kind].get(name, {}).get("ref")
        for one in value if isinstance(value, list) else [value]:
            if inner and isinstance(one, dict):
                yield from places(inner, one)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), realm=st.sampled_from([USA, UK, CANADA]), entity=st.sampled_from(WRITABLE))
def test_no_unknown_member_is_accepted_wherever_it_is(data: st.DataObject, realm: str, entity: str) -> None:
    company = new_company(realm, {})
    payload = {**plausible(entity, realm), **data.draw(members_of(entity))}
    kind, place = data.draw(st.sampled_from(list(places(entity, payload))))
    known = catalogue()[kind]
    # Known names in other letters are unknown, too.
    name = data.draw(st.text(min_size=1, max_size=8) | st.sampled_from(sorted(known) or ["x"]).map(str.swapcase))
    if name in known:
        return
    place[name] = data.draw(SCALARS)
    before = snapshot(company)
    refused = send(company, entity, {}, payload)
    assert refused.codes
    assert snapshot(company) == before
    del place[name]
    if not send(company, entity, {}, payload).codes:
        assert (refused.status, refused.codes) == (400, ("2010",))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(body=st.one_of(st.binary(max_size=60), JSON.map(orjson.dumps)), entity=st.sampled_from([*WRITABLE, "batch"]))
@example(body=b'{"DisplayName":"\xff"}', entity="Customer")
@example(body=b"[" * 60, entity="Invoice")
def test_arbitrary_bodies_are_refused_with_a_fault(body: bytes, entity: str) -> None:
    company = new_company(USA, {})
    call = understand("POST", f"{PREFIX}{USA}/{entity.lower()}", {}, body, "application/json")
    answer = execute(company, call, RequestIds(company.clock))
    assert answer.status == 400
    assert answer.codes


WORDS = st.sampled_from(
    [
        *("select", "*", "count(*)", "from", "Customer", "Invoice", "Item", "TaxCode", "where", "and", "or", "orderby"),
        *(
            "order by",
            "startposition",
            "maxresults",
            "DisplayName",
            "Id",
            "Active",
            "Balance",
            "TxnDate",
            "=",
            "<",
            ">=",
        ),
        *(
            "in",
            "like",
            "(",
            ")",
            ",",
            "'Larch'",
            "'%a%'",
            "'it\\'s'",
            "''",
            "'",
            "1",
            "-1",
            "0",
            "5000",
            "true",
            "MetaData.",
        ),
        *(
            "MetaData.CreateTime",
            "'2026-03-10'",
            "'2026-03-10T00:00:00Z'",
            "desc",
            "\n",
            "CustomerRef",
            "Line",
            "é",
            ";",
        ),
    ]
)
QUERIES = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=14).map(" ".join),
    st.lists(WORDS, max_size=8).map(lambda words: " ".join(["select * from Customer where", *words])),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=QUERIES, method=st.sampled_from(["GET", "POST"]))
def test_arbitrary_queries_are_answered_or_refused_with_4000_or_4001(text: str, method: str) -> None:
    company = _QUERIED
    query = {"query": text} if method == "GET" else {}
    call = understand(method, f"{PREFIX}{USA}/query", query, text.encode(), "application/text")
    answer = execute(company, call, RequestIds(company.clock))
    assert answer.status == 200 or answer.codes in (("4000",), ("4001",))


_QUERIED = new_company(USA, {})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_arbitrary_batches_are_answered_item_by_item(data: st.DataObject) -> None:
    company = new_company(USA, {})
    entities = st.sampled_from([*WRITABLE, "TaxCode", "Nonsense"])
    made = entities.flatmap(
        lambda entity: st.fixed_dictionaries(
            {
                "bId": st.text(min_size=1, max_size=8),
                "operation": st.sampled_from(["create", "update", "delete", "void", "other"]),
                entity: members_of(entity) if entity in WRITABLE else JSON,
            }
        )
    )
    asked = st.fixed_dictionaries({"bId": st.text(min_size=1, max_size=8), "Query": QUERIES})
    items = data.draw(st.lists(st.one_of(made, asked), max_size=6))
    body = orjson.dumps({"BatchItemRequest": items})
    call = understand("POST", f"{PREFIX}{USA}/batch", {}, body, "application/json")
    answer = execute(company, call, RequestIds(company.clock))
    assert answer.status == 200
    answers = orjson.loads(answer.body)["BatchItemResponse"]
    assert sorted(one["bId"] for one in answers) == sorted(one["bId"] for one in items)


@pytest.mark.parametrize("realm", [USA, UK, CANADA])
def test_every_seeded_object_fits_the_schema(realm: str) -> None:
    company = new_company(realm, {})
    for entity, table in company.tables.items():
        for stored in table.values():
            shown = company.render(entity, stored)
            assert clean(entity, shown) == shown
    assert all(company.tables[entity] for entity in SINGLETONS)
