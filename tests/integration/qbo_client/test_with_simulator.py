"""The whole client against the simulator: what works when Intuit works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from qbo_client import calls, queries
from qbo_client.calls import Call
from qbo_client.company_facts import fetch_classes, fetch_company_facts, fetch_items, fetch_tax_codes
from qbo_client.environment import environment_for
from qbo_client.faults import FaultCode, colliding_document, colliding_id
from qbo_client.oauth import ClientRefused, GrantRefused, OAuthApp, TokenSet
from qbo_client.outcomes import Done, Outcome, Refused, Unauthorized, batch_outcomes
from qbo_client.transport import Transport
from simulator import DEFAULT_CLIENT_ID, Settings, Simulator
from simulator.seeds import CANADA, REALMS, UK, USA

BACK = "https://example.org/back"
Send = Callable[[Call], Outcome]


@pytest.fixture(scope="module")
def intuit() -> Iterator[Simulator]:
    # A company of the USA is sent Chinese here, and a refusal says whose name is taken: neither is sure of Intuit.
    settings = Settings.from_environment(
        quota_enabled=False,
        usa_characters="any",
        duplicate_name_detail="id",
        requestid_repeated="replay",
        background_trouble="none",
    )
    with Simulator(settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def app(intuit: Simulator) -> Iterator[OAuthApp]:
    made = OAuthApp(environment_for(intuit.base_url), DEFAULT_CLIENT_ID, "simulator-secret")
    yield made
    made.close()


@pytest.fixture(scope="module")
def transport(intuit: Simulator) -> Iterator[Transport]:
    with Transport(environment_for(intuit.base_url)) as ready:
        yield ready


def sender(intuit: Simulator, transport: Transport, realm: str) -> Send:
    token = intuit.authorize(realm)["access_token"]
    return lambda call: transport.send(realm, token, call, deadline=20.0)


@pytest.fixture
def send(intuit: Simulator, transport: Transport) -> Send:
    return sender(intuit, transport, USA)


def connect(app: OAuthApp, intuit: Simulator, realm: str) -> TokenSet:
    """What a person does on Intuit's pages: sign in, choose the company, connect."""
    url = app.authorize_url(redirect_uri=BACK, state="s-1")
    with requests.Session() as browser:
        browser.get(url, timeout=60).raise_for_status()
        form = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        decision = browser.post(
            f"{intuit.base_url}/connect/oauth2/decision",
            data={**form, "realm": realm, "decision": "connect"},
            allow_redirects=False,
            timeout=60,
        )
    back = {name: values[0] for name, values in parse_qs(urlsplit(decision.headers["Location"]).query).items()}
    assert (back["state"], back["realmId"]) == ("s-1", realm)
    return app.exchange_code(code=back["code"], redirect_uri=BACK)


def test_the_addresses_are_those_of_the_discovery_document(intuit: Simulator) -> None:
    environment = environment_for(intuit.base_url)
    found = requests.get(f"{intuit.base_url}/.well-known/openid_configuration", timeout=60).json()
    assert environment.authorize_url == found["authorization_endpoint"]
    assert environment.token_url == found["token_endpoint"]
    assert environment.revoke_url == found["revocation_endpoint"]


def test_connect_refresh_call_and_revoke(app: OAuthApp, intuit: Simulator, transport: Transport) -> None:
    tokens = app.refresh(connect(app, intuit, UK).refresh_token)
    assert tokens.refresh_hard_expires_at is not None
    assert tokens.access_expires_at < tokens.refresh_expires_at < tokens.refresh_hard_expires_at
    facts = transport.send(UK, tokens.access_token, calls.read("CompanyInfo"), deadline=20.0)
    assert isinstance(facts, Done)
    app.revoke(tokens.refresh_token)
    refused = transport.send(UK, tokens.access_token, calls.read("CompanyInfo"), deadline=20.0)
    assert isinstance(refused, Unauthorized)
    with pytest.raises(GrantRefused):
        app.refresh(tokens.refresh_token)


def test_wrong_keys_are_our_fault_and_not_the_grants(intuit: Simulator) -> None:
    app = OAuthApp(environment_for(intuit.base_url), DEFAULT_CLIENT_ID, "wrong")
    with pytest.raises(ClientRefused):
        app.refresh("whatever")
    app.close()


def customer(name: str) -> dict[str, object]:
    return {"DisplayName": name}


def made(outcome: Outcome, entity: str) -> dict[str, object]:
    assert isinstance(outcome, Done), outcome
    assert outcome.intuit_tid
    assert outcome.duration > 0
    return outcome.entity(entity)


def an_item(send: Send) -> str:
    return next(item.id for item in fetch_items(send) if item.type == "Service" and item.active)


def test_a_document_is_made_changed_read_and_voided(send: Send) -> None:
    buyer = made(send(calls.create("Customer", customer("Amy's Birds"), request_id="c-1")), "Customer")
    line = {
        "Amount": Decimal("1861.08"),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": an_item(send)},
            "Qty": Decimal("128.350"),
            "UnitPrice": Decimal("14.50"),
        },
    }
    body = {"CustomerRef": {"value": buyer["Id"]}, "Line": [line], "DocNumber": "T-1", "PrivateNote": "Grüße, 北京"}
    invoice = made(send(calls.create("Invoice", body, request_id="i-1")), "Invoice")
    assert invoice["TotalAmt"] == Decimal("1861.08")
    assert not isinstance(invoice["TotalAmt"], float)
    again = made(send(calls.create("Invoice", body, request_id="i-1")), "Invoice")
    assert again["Id"] == invoice["Id"], "the same request id is the same call"

    change = {"Id": invoice["Id"], "SyncToken": invoice["SyncToken"], "sparse": True, "PrivateNote": "Changed"}
    changed = made(send(calls.update("Invoice", change, request_id="i-2")), "Invoice")
    stale = send(calls.update("Invoice", {**change, "PrivateNote": "Late"}, request_id="i-3"))
    assert isinstance(stale, Refused)
    assert stale.codes == {FaultCode.STALE_OBJECT}

    token = str(changed["SyncToken"])
    voided = made(
        send(calls.void("Invoice", object_id=str(changed["Id"]), sync_token=token, request_id="i-4")), "Invoice"
    )
    assert voided["TotalAmt"] == 0
    read = made(send(calls.read("Invoice", str(voided["Id"]))), "Invoice")
    assert read["SyncToken"] == voided["SyncToken"]
    gone = made(
        send(calls.delete("Invoice", object_id=str(read["Id"]), sync_token=str(read["SyncToken"]), request_id="i-5")),
        "Invoice",
    )
    assert gone["status"] == "Deleted"
    missing = send(calls.read("Invoice", str(read["Id"])))
    assert isinstance(missing, Refused)
    assert FaultCode.OBJECT_NOT_FOUND in missing.codes


def test_collisions_tell_who_is_in_the_way(send: Send) -> None:
    first = made(send(calls.create("Customer", customer("Twin"), request_id="t-1")), "Customer")
    refused = send(calls.create("Customer", customer("twin"), request_id="t-2"))
    assert isinstance(refused, Refused)
    fault = refused.fault(FaultCode.DUPLICATE_NAME)
    assert fault is not None
    assert colliding_id(fault) == first["Id"]

    line = {
        "Amount": Decimal(5),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": an_item(send)}},
    }
    body = {"CustomerRef": {"value": first["Id"]}, "Line": [line], "DocNumber": "TWIN-1"}
    invoice = made(send(calls.create("Invoice", body, request_id="t-3")), "Invoice")
    refused = send(calls.create("Invoice", body, request_id="t-4"))
    assert isinstance(refused, Refused)
    fault = refused.fault(FaultCode.DUPLICATE_DOCUMENT_NUMBER)
    assert fault is not None
    document = colliding_document(fault)
    assert document is not None
    assert (document.txn_id, document.txn_type) == (invoice["Id"], "Invoice")


def test_values_in_queries_are_found_as_they_are(send: Send) -> None:
    names = ["O'Hara", "Back\\slash", "Both \\' of them", 'Quote "x"', "100% LIKE"]
    for n, name in enumerate(names):
        made(send(calls.create("Customer", customer(name), request_id=f"q-{n}")), "Customer")
    for name in names:
        rows = list(queries.iterate(send, "Customer", queries.equals("DisplayName", name)))
        assert [row["DisplayName"] for row in rows] == [name]
    assert queries.count(send, "Customer", queries.one_of("DisplayName", names)) == len(names)


def test_pages_hold_every_row_once(send: Send) -> None:
    total = queries.count(send, "Item", queries.ACTIVE_OR_NOT)
    rows = [row["Id"] for row in queries.iterate(send, "Item", queries.ACTIVE_OR_NOT, order_by="Id", page_size=2)]
    assert len(rows) == len(set(rows)) == total > 2


def test_a_batch_of_independent_items(send: Send) -> None:
    items = {
        "a": calls.create("Customer", customer("Batch A"), request_id=None),
        "b": calls.create("Customer", customer("Bad: name"), request_id=None),
        "c": calls.query(queries.select("Item", at_most=1)),
    }
    done = send(calls.batch(items, request_id="b-1"))
    assert isinstance(done, Done)
    outcomes = batch_outcomes(done, items)
    assert [type(outcomes[bid]) for bid in items] == [Done, Refused, Done]
    first, rows = outcomes["a"], outcomes["c"]
    assert isinstance(first, Done)
    assert isinstance(rows, Done)
    assert first.entity("Customer")["DisplayName"] == "Batch A"
    assert len(rows.rows("Item")) == 1


@pytest.mark.parametrize("realm", REALMS)
def test_the_facts_of_every_company_can_be_read(intuit: Simulator, transport: Transport, realm: str) -> None:
    send = sender(intuit, transport, realm)
    facts = fetch_company_facts(send)
    assert facts.name
    assert re.fullmatch("[A-Z]{2}", facts.country)
    assert re.fullmatch("[A-Z]{3}", facts.home_currency)
    assert facts.tax_codes == fetch_tax_codes(send)
    assert any(item.type == "Service" for item in fetch_items(send))
    assert isinstance(fetch_classes(send), tuple)


def test_the_rates_of_tax_codes(intuit: Simulator, transport: Transport) -> None:
    british = {code.sales_rate for code in fetch_tax_codes(sender(intuit, transport, UK))}
    assert {Decimal(20), Decimal(5), Decimal(0)} <= british
    canadian = {code.sales_rate for code in fetch_tax_codes(sender(intuit, transport, CANADA))}
    assert {Decimal(5), Decimal(13)} <= canadian
    american = {code.id: code.sales_rate for code in fetch_tax_codes(sender(intuit, transport, USA))}
    assert "NON" in american
    assert american["NON"] is None
