"""What the simulator costs as a process, in seconds of one core, beside any other load; the benchmark gives the figures."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys

import requests

from simulator import DEFAULT_CLIENT_ID, USA

from .conftest import BASIC

REQUESTS = 1_000


def core_seconds(calls: int) -> float:
    """What a simulator takes from its start to its end, with so many calls in between: one create, one read, one create …"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "simulator", "--port", "0", "--set", "quota_enabled=false"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, requests.Session() as session:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[-1]
        asked = {"realm": USA, "client_id": DEFAULT_CLIENT_ID}
        code = session.post(f"{base_url}/_simulator/authorize", json=asked, timeout=60).json()["code"]
        form = {"grant_type": "authorization_code", "code": code}
        tokens = session.post(f"{base_url}/oauth2/v1/tokens/bearer", data=form, auth=BASIC, timeout=60).json()
        session.headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
        company = f"{base_url}/v3/company/{USA}"
        for number in range(calls):
            if number % 2:
                answer = session.get(f"{company}/vendor/1", timeout=60)
            else:
                answer = session.post(f"{company}/customer", json={"DisplayName": f"Customer {number}"}, timeout=60)
            assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_it_starts_in_a_second_and_answers_1500_simple_requests_a_second_on_one_core() -> None:
    start_and_end = core_seconds(0)
    assert start_and_end < 1
    assert REQUESTS / (core_seconds(REQUESTS) - start_and_end) > 1_500
