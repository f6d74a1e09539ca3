"""The controls under /_simulator/, the pages for people, and the simulator as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import REALMS, UK, USA, Simulator

from .conftest import BASIC, Http

Connect = Callable[[Simulator, str], Http]


@pytest.fixture
def usa(intuit: Simulator, connect: Connect) -> Http:
    return connect(intuit, USA)


def refused(http: Http, method: str, name: str, body: Any = None) -> str:
    answer = http.session.request(method, f"{http.intuit.base_url}/_simulator/{name}", json=body, timeout=60)
    assert answer.status_code in (400, 404, 405), answer.text
    return str(answer.json()["error"])


def edit(http: Http, action: str, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.control("POST", "bookkeeper", {"realm": USA, "action": action, **members})[
        "objects"
    ]
    return found


def sell(http: Http, amount: float = 100) -> dict[str, Any]:
    detail = {"ItemRef": {"value": "1"}}
    sold = {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return http.create("Invoice", {"CustomerRef": {"value": "6"}, "Line": [sold]})


def test_the_state_of_every_company_as_json(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    state = usa.control("GET", "state")
    assert set(state["companies"]) == set(REALMS)
    assert state["companies"][USA]["objects"]["Customer"][0]["DisplayName"] == "Larch"
    one = usa.control("GET", "state", realm=USA)
    assert one == state["companies"][USA]


def test_every_request_is_recorded(usa: Http) -> None:
    usa.post("customer", {"DisplayName": "Larch"}, requestid="r1", minorversion="75")
    usa.post("customer", {"DisplayName": "Larch"})
    first, second = usa.control("GET", "requests")["requests"]
    wanted = {
        "method": "POST",
        "path": f"/v3/company/{USA}/customer",
        "query": "requestid=r1&minorversion=75",
        "realm": USA,
        "operation": "create",
        "entity": "Customer",
        "requestid": "r1",
        "status": 200,
        "codes": [],
        "metering": "core",
        "client": "simulator-client",
        "token": usa.token,
        "request": {"DisplayName": "Larch"},
    }
    assert {name: first[name] for name in wanted} == wanted
    assert first["response"]["Customer"]["Id"] == "6"
    assert first["received"] <= first["finished"]
    assert (second["status"], second["codes"]) == (400, ["6240"])
    assert usa.control("GET", "requests", entity="customer", since=str(first["number"]))["requests"][0] == second
    usa.control("DELETE", "requests")
    assert usa.control("GET", "requests")["requests"] == []


def test_the_clock_moves_forwards_only(usa: Http) -> None:
    before = usa.control("POST", "clock", {"freeze": True})["time"]
    assert usa.control("POST", "clock", {"advance": 90})["time"] == before + 90
    assert "advance" in refused(usa, "POST", "clock", {"advance": -1})
    usa.control("POST", "clock", {"freeze": False})


def test_switches_change_at_run_time(usa: Http) -> None:
    assert usa.control("GET", "settings")["choices"]["tax_rounding"] == ["per_line", "per_rate"]
    usa.control("PUT", "settings", {"duplicate_name_detail": "sentence"})
    usa.create("Customer", {"DisplayName": "Larch"})
    assert "Another customer" in usa.post("customer", {"DisplayName": "Larch"}).text
    assert "nonsense" in refused(usa, "PUT", "settings", {"nonsense": 1})


def test_a_code_without_the_pages(usa: Http) -> None:
    code = usa.control("POST", "authorize", {"realm": UK, "client_id": "simulator-client"})["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost/any"}
    answer = requests.post(f"{usa.intuit.base_url}/oauth2/v1/tokens/bearer", data=form, auth=BASIC, timeout=60)
    assert answer.json()["token_type"] == "bearer"
    assert "realm" in refused(usa, "POST", "authorize", {"realm": "1", "client_id": "simulator-client"})


def test_a_registered_app_has_its_secret_and_addresses(usa: Http) -> None:
    app = {"client_id": "a", "client_secret": "s", "redirect_uris": ["https://a.example/back"]}
    usa.control("POST", "apps", app)
    query = {"client_id": "a", "response_type": "code", "scope": "com.intuit.quickbooks.accounting", "state": "x"}
    url = f"{usa.intuit.base_url}/connect/oauth2"
    wrong = requests.get(url, {**query, "redirect_uri": "https://b.example/"}, timeout=60)
    assert (wrong.status_code, "redirect_uri" in wrong.text) == (400, True)
    back = {**query, "redirect_uri": "https://a.example/back"}
    assert requests.get(url, back, timeout=60).status_code == 200
    scope = requests.get(url, {**back, "scope": "everything"}, allow_redirects=False, timeout=60)
    assert scope.headers["Location"] == "https://a.example/back?error=invalid_scope&state=x"


def test_a_user_who_is_no_administrator_cannot_connect(usa: Http) -> None:
    form = {
        "client_id": "simulator-client",
        "redirect_uri": "http://localhost/back",
        "response_type": "code",
        "scope": "com.intuit.quickbooks.accounting",
        "state": "x",
        "email": "clerk@larch.example",
        "password": "x",
    }
    page = requests.post(f"{usa.intuit.base_url}/connect/oauth2/sign-in", data=form, timeout=60)
    assert "not an administrator" in page.text


def test_another_company_is_made_like_one_of_the_first(usa: Http, connect: Connect) -> None:
    made = usa.control(
        "POST", "companies", {"realm": "123", "name": "New Ltd", "like": UK, "profile": {"language": "fr"}}
    )
    assert (made["home_currency"], made["language"]) == ("GBP", "fr")
    assert connect(usa.intuit, "123").get("companyinfo/123").json()["CompanyInfo"]["CompanyName"] == "New Ltd"
    assert "realm" in refused(usa, "POST", "companies", {"realm": "123"})


def test_the_bookkeeper_renames_adds_a_line_deactivates_and_closes(usa: Http) -> None:
    usa.control("PUT", "settings", {"paid_document": "unlink"})
    usa.create("Customer", {"DisplayName": "Larch"})
    assert edit(usa, "rename", entity="Customer", id="6", name="Birch")[0]["SyncToken"] == "1"
    invoice = sell(usa)
    added = edit(usa, "add_line", entity="Invoice", id=invoice["Id"], line=invoice["Line"][0] | {"Id": ""})
    assert (added[0]["TotalAmt"], added[0]["SyncToken"]) == (200, "1")
    assert (
        edit(usa, "update", entity="Invoice", id=invoice["Id"], members={"PrivateNote": "by hand"})[0]["SyncToken"]
        == "2"
    )
    paid = edit(usa, "pay", id=invoice["Id"])
    assert paid[1]["Balance"] == 0
    assert edit(usa, "void", entity="Invoice", id=invoice["Id"])[0]["TotalAmt"] == 0
    assert edit(usa, "delete", entity="Invoice", id=invoice["Id"])[0]["status"] == "Deleted"
    assert edit(usa, "deactivate", entity="Item", id="2")[0]["Name"] == "Design (deleted)"
    assert edit(usa, "reactivate", entity="Item", id="2")[0]["Name"] == "Design"
    assert edit(usa, "close_books", date="2026-01-31")[0]["AccountingInfoPrefs"]["BookCloseDate"] == "2026-01-31"
    assert "BookCloseDate" not in edit(usa, "close_books")[0]["AccountingInfoPrefs"]
    assert edit(usa, "create", entity="Vendor", members={"DisplayName": "Ash"})[0]["DisplayName"] == "Ash"
    assert "QuickBooks refuses" in refused(
        usa, "POST", "bookkeeper", {"realm": USA, "action": "create", "entity": "Vendor", "members": {}}
    )
    assert "needs 'id'" in refused(usa, "POST", "bookkeeper", {"realm": USA, "action": "pay"})


def test_merged_customers_become_one(usa: Http) -> None:
    usa.control("PUT", "settings", {"merged_customer": "inactive"})
    for name in ("Larch", "Larch & Co"):
        usa.create("Customer", {"DisplayName": name})
    job = usa.create("Customer", {"DisplayName": "House", "Job": True, "ParentRef": {"value": "6"}})
    sell(usa)
    edit(usa, "merge", id="6", into="7")
    assert usa.get("invoice/1").json()["Invoice"]["CustomerRef"] == {"value": "7", "name": "Larch & Co"}
    assert usa.get(f"customer/{job['Id']}").json()["Customer"]["FullyQualifiedName"] == "Larch & Co:House"
    gone = usa.get("customer/6").json()["Customer"]
    assert (gone["Active"], gone["DisplayName"], gone["Balance"]) == (False, "Larch (deleted)", 0)
    assert usa.get("customer/7").json()["Customer"]["Balance"] == 100


def test_tokens_can_be_made_to_expire_rotate_or_lose_their_grant(usa: Http) -> None:
    tokens = usa.intuit.authorize(USA)
    usa.token = tokens["access_token"]

    def refresh() -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return requests.post(f"{usa.intuit.base_url}/oauth2/v1/tokens/bearer", data=form, auth=BASIC, timeout=60)

    usa.control("POST", "tokens", {"action": "expire_access", "realm": USA})
    assert usa.get("term/1").status_code == 401
    usa.control("POST", "tokens", {"action": "rotate", "realm": USA})
    tokens = refresh().json()
    usa.token = tokens["access_token"]
    assert usa.get("term/1").status_code == 200
    # As when a user disconnects the app inside QuickBooks.
    usa.control("POST", "tokens", {"action": "disconnect", "realm": USA})
    assert usa.get("term/1").status_code == 401
    assert (refresh().status_code, refresh().json()) == (400, {"error": "invalid_grant"})


def test_state_is_exported_and_imported_whole(usa: Http, start: Callable[..., Simulator]) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    sell(usa)
    exported = requests.get(f"{usa.intuit.base_url}/_simulator/export", timeout=60).content
    other = Http(start(), USA, usa.token, usa.session)
    answer = requests.put(f"{other.intuit.base_url}/_simulator/state", data=exported, timeout=60)
    assert answer.status_code == 200
    assert other.control("GET", "state")["companies"] == usa.control("GET", "state")["companies"]
    assert other.get("customer/6").json()["Customer"]["Balance"] == 100
    assert other.post("customer", {"DisplayName": "larch"}).status_code == 400
    assert other.create("Customer", {"DisplayName": "Birch"})["Id"] == "7"
    wrong = requests.put(f"{other.intuit.base_url}/_simulator/state", data=b'{"version": 2}', timeout=60)
    assert (wrong.status_code, "not a state" in wrong.json()["error"]) == (400, True)


def test_reset_brings_the_first_day_back(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    usa.control("POST", "faults", {"kind": "outage"})
    usa.control("POST", "reset", {"keep_tokens": True})
    assert usa.query("select count(*) from Customer").json()["QueryResponse"] == {"totalCount": 0}
    usa.control("POST", "reset")
    assert usa.get("term/1").status_code == 401


def test_an_unknown_control_or_method_says_what_there_is(usa: Http) -> None:
    assert "bookkeeper" in refused(usa, "GET", "nonsense")
    assert refused(usa, "PUT", "reset") == "reset takes POST"
    assert "JSON object" in refused(usa, "POST", "reset", [])


def test_the_status_page_shows_companies_objects_and_requests(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "<b>Larch</b>"})
    page = requests.get(f"{usa.intuit.base_url}/?realm={USA}", timeout=60)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Larch Design Ltd" in page.text
    assert "&lt;b&gt;Larch&lt;/b&gt;" in page.text
    assert f"POST /v3/company/{USA}/customer" in page.text


def test_it_runs_alone_and_keeps_its_state(tmp_path: Path) -> None:
    state = tmp_path / "state.json"

    def run() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "simulator", "--port", "0", "--state", str(state)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        assert process.stdout is not None
        return process, process.stdout.readline().split()[-1]

    def stop(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()

    process, base_url = run()
    edit = {"realm": USA, "action": "create", "entity": "Customer", "members": {"DisplayName": "Larch"}}
    requests.post(f"{base_url}/_simulator/bookkeeper", json=edit, timeout=60).raise_for_status()
    stop(process)
    process, base_url = run()
    found = requests.get(f"{base_url}/_simulator/state?realm={USA}", timeout=60).json()
    assert found["objects"]["Customer"][0]["DisplayName"] == "Larch"
    stop(process)


def test_a_thread_of_its_own_starts_at_once() -> None:
    started = time.perf_counter()
    with Simulator() as intuit:
        assert requests.get(f"{intuit.base_url}/", timeout=60).status_code == 200
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--set", "nonsense=1"], "nonsense"), (["--set", "x"], "NAME=VALUE"), (["--host", "256.0.0.1"], "cannot listen")],
)
def test_bad_options_end_in_one_clear_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
