"""Clients that others wrote, unmodified but for their addresses, tell one story to the simulator: each step is a test.

Python's two are in tests/integration/simulator (test_python_quickbooks.py, test_intuit_oauth.py), with more calls.

REQUIRE_CLIENTS=auto (`.ci/run` sets it) turns a skip into a failure on a machine that has Node and npm, or Java and Maven.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from typing import Any, Final, NoReturn

import pytest
import requests

from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, USA, Settings, Simulator
from tests.artifacts import NotHere
from tests.foreign.packages import JAVA, NODE, java_sdk, node_packages

CLIENTS: Final = (
    "node-quickbooks",
    "quickbooks-node-promise",
    "intuit-oauth",
    "java-sdk json",
    "java-sdk xml",
)
SCOPE: Final = "com.intuit.quickbooks.accounting openid"
STEPS: Final = (
    "authorizeUri",
    "token",
    "refresh",
    "create",
    "read",
    "sparse update",
    "a fault",
    "sub-customer",
    "query",
    "void",
    "delete",
    "credit memo",
    "batch",
    "CDC",
    "company and preferences",
    "user info",
    "revoke",
)
# Calls that a client does not have.
NOT_THEIRS: Final = {
    ("node-quickbooks", "authorizeUri"): "its example builds the address by hand",
    ("node-quickbooks", "token"): "its example exchanges the code by hand",
}
_STORY_S: Final = 240


def cannot(client: str, why: str) -> NoReturn:
    """Skip, or fail where that is not to be excused."""
    tools = ("java", "mvn") if client.startswith("java") else ("node", "npm")
    if os.environ.get("REQUIRE_CLIENTS") == "auto" and all(shutil.which(one) for one in tools):
        pytest.fail(f"{client} did not run: {why}. This machine has {' and '.join(tools)}.", pytrace=False)
    pytest.skip(f"{client} cannot run here: {why}")


@cache
def story(client: str) -> dict[str, dict[str, Any]] | str:
    """Step → what became of it; or why the client cannot run here. Each client tells its story once."""
    try:
        command, more = _command(client)
    except NotHere as why:
        return str(why)
    with Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit:
        asked = {"realm": USA, "client_id": DEFAULT_CLIENT_ID, "scope": SCOPE}
        code = requests.post(f"{intuit.base_url}/_simulator/authorize", json=asked, timeout=60).json()["code"]
        environment = {**os.environ, **more, "SIMULATOR_URL": intuit.base_url, "SIMULATOR_REALM": USA}
        if (client, "token") in NOT_THEIRS:
            environment["SIMULATOR_REFRESH_TOKEN"] = _exchange(intuit, code)
        environment["SIMULATOR_CODE"] = code
        found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_STORY_S, check=False)
    steps = [json.loads(line) for line in found.stdout.splitlines() if line.startswith('{"step"')]
    assert steps, f"{client} printed no step: {found.stderr[-2000:]}"
    return {one["step"]: one for one in steps}


def _command(client: str) -> tuple[list[str], dict[str, str]]:
    if client.startswith("java"):
        java, jars = java_sdk()
        quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m")
        return [java, *quick, "-cp", f"{jars}/*", str(JAVA / "Story.java"), client.split()[1]], {}
    node, modules = node_packages()
    return [node, str(NODE / "story.js"), client], {"NODE_PATH": str(modules)}


def _exchange(intuit: Simulator, code: str) -> str:
    form = {"grant_type": "authorization_code", "code": code}
    who = (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)
    answer = requests.post(f"{intuit.base_url}/oauth2/v1/tokens/bearer", data=form, auth=who, timeout=60)
    return str(answer.json()["refresh_token"])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_call_that_is_theirs_passes(client: str, step: str) -> None:
    found = story(client)
    if isinstance(found, str):
        cannot(client, found)
    if (client, step) in NOT_THEIRS:
        assert step not in found
        return
    assert found[step]["ok"], found[step]["detail"]


def test_the_locks_name_no_host() -> None:
    for path in (NODE / "package-lock.json", JAVA / "sha256sums.txt"):
        assert "://" not in path.read_text("utf-8"), path


def test_every_package_is_pinned_by_its_content() -> None:
    locked = json.loads((NODE / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, one in locked.items() if name and not one.get("integrity", "").startswith("sha512-")] == []
