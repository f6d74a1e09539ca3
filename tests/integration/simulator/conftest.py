"""A simulator for each test, and a small client that speaks plain HTTP to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from simulator import DEFAULT_CLIENT_ID, USA, Settings, Simulator

BASIC = (DEFAULT_CLIENT_ID, "simulator-secret")
FINCH_STREET = {"Line1": "4581 Finch St.", "City": "Bayshore", "CountrySubDivisionCode": "CA", "PostalCode": "94326"}
TIMEOUT_SECONDS = 10


@dataclass
class Http:
    """One company of one simulator over plain HTTP."""

    intuit: Simulator
    realm: str
    token: str
    session: requests.Session

    @property
    def base(self) -> str:
        return f"{self.intuit.base_url}/v3/company/{self.realm}"

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **more}

    def post(self, path: str, body: Any, **params: str) -> requests.Response:
        return self.session.post(
            f"{self.base}/{path}", json=body, params=params, headers=self.headers(), timeout=TIMEOUT_SECONDS
        )

    def get(self, path: str, **params: str) -> requests.Response:
        return self.session.get(f"{self.base}/{path}", params=params, headers=self.headers(), timeout=TIMEOUT_SECONDS)

    def query(self, text: str) -> requests.Response:
        kind = {"Content-Type": "application/text"}
        return self.session.post(
            f"{self.base}/query", data=text.encode(), headers=self.headers(**kind), timeout=TIMEOUT_SECONDS
        )

    def create(self, entity: str, body: Any, **params: str) -> dict[str, Any]:
        answer = self.post(entity.lower(), body, **params)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()[entity]
        return made

    def control(self, method: str, name: str, body: Any = None, **params: str) -> Any:
        answer = self.session.request(
            method, f"{self.intuit.base_url}/_simulator/{name}", json=body, params=params, timeout=TIMEOUT_SECONDS
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def start() -> Iterator[Callable[..., Simulator]]:
    """Starts simulators with other switches than the usual."""
    running: list[Simulator] = []

    def begin(**switches: Any) -> Simulator:
        running.append(Simulator(settings=Settings(**{"quota_enabled": False, **switches})).start())
        return running[-1]

    yield begin
    for one in running:
        one.stop()


@pytest.fixture
def intuit(start: Callable[..., Simulator]) -> Simulator:
    return start()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        yield one


@pytest.fixture
def connect(session: requests.Session) -> Callable[[Simulator, str], Http]:
    def make(intuit: Simulator, realm: str) -> Http:
        return Http(intuit, realm, intuit.authorize(realm)["access_token"], session)

    return make


@pytest.fixture(autouse=True)
def source(request: pytest.FixtureRequest) -> str:
    """Where the row's answer was recorded: it is part of the test's name."""
    return str(getattr(request, "param", ""))


@pytest.fixture
def usa(intuit: Simulator, connect: Callable[[Simulator, str], Http]) -> Http:
    return connect(intuit, USA)


@pytest.fixture
def birds(usa: Http) -> dict[str, Any]:
    return usa.create(
        "Customer", {"DisplayName": "Amy's Bird Sanctuary", "BillAddr": FINCH_STREET, "ShipAddr": FINCH_STREET}
    )


def fault_codes(answer: requests.Response) -> list[str]:
    return [one["code"] for one in answer.json()["Fault"]["Error"]]
