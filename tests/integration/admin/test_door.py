"""Who may try to log in how often, how long a session lasts, and what a browser may do with the pages."""

from __future__ import annotations

import datetime as dt
import http.client
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, override_settings
from django.utils import timezone

from admin.quickbooks_online.metrics import exposition
from demo.embedded.ports import HOST, free_port
from tests.integration.admin.conftest import Section
from tests.integration.broker.members import eventually

LOGIN = "/admin/login/"
RIGHT, WRONG = "right-horse-battery", "wrong-horse-battery"


@pytest.fixture
def people(database: str) -> Iterator[None]:
    for name in ("ada", "grace"):
        User.objects.create_user(name, password=RIGHT, is_staff=True)
    with override_settings(AXES_FAILURE_LIMIT=3):
        yield


def log_in(name: str, password: str, *, address: str, **headers: str) -> HttpResponse:
    return Client().post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers)  # type: ignore[return-value]


def logins(outcome: str) -> float:
    (line,) = [
        line for line in exposition().decode().splitlines() if f'admin_logins_total{{outcome="{outcome}"}}' in line
    ]
    return float(line.split()[-1])


def test_failed_logins_lock_the_account_and_the_address_each_for_itself(
    people: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    counted = {outcome: logins(outcome) for outcome in ("ok", "failed", "locked-out")}
    for _ in range(3):
        log_in("ada", WRONG, address="192.0.2.1")

    locked = log_in("ada", RIGHT, address="192.0.2.1")
    assert locked.status_code == 429
    assert "Too many failed logins. Try again in 15 minutes, or ask an operator to unlock the account." in (
        locked.content.decode()
    )
    assert log_in("ada", RIGHT, address="192.0.2.2").status_code == 429, "the account, wherever it comes from"
    assert log_in("grace", RIGHT, address="192.0.2.1").status_code == 429, "the address, with any account"
    assert log_in("grace", RIGHT, address="192.0.2.2").status_code == 302

    assert logins("failed") == counted["failed"] + 2
    assert logins("locked-out") == counted["locked-out"] + 4
    assert logins("ok") == counted["ok"] + 1
    entries = [record for record in caplog.records if record.name == "admin.door"]
    assert [record.getMessage() for record in entries].count("login failed") == 2
    assert {getattr(record, "account", "") for record in entries} == {"ada", "grace"}
    assert "horse" not in caplog.text

    AccessAttempt.objects.update(attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME - dt.timedelta(seconds=1))
    assert log_in("ada", RIGHT, address="192.0.2.1").status_code == 302


def test_behind_a_proxy_the_address_is_the_browsers_and_cannot_be_chosen(people: None) -> None:
    with override_settings(TRUSTED_PROXIES=1):
        for number in range(3):
            # What a client puts there itself stands before what the proxy appends.
            chosen = f"203.0.113.{number}, 192.0.2.7"
            log_in("ada", WRONG, address="10.0.0.1", **{"x-forwarded-for": chosen})

        assert log_in("grace", RIGHT, address="10.0.0.1", **{"x-forwarded-for": "192.0.2.7"}).status_code == 429
        assert log_in("grace", RIGHT, address="10.0.0.1", **{"x-forwarded-for": "192.0.2.8"}).status_code == 302


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(people: None) -> None:
    client = Client()
    entered = client.post(LOGIN, {"username": "ada", "password": RIGHT})
    assert entered.cookies["sessionid"]["max-age"] == 3600
    assert client.get("/admin/").status_code == 200

    session = Session.objects.get()
    session.expire_date = timezone.now() - dt.timedelta(seconds=1)
    session.save()
    assert client.get("/admin/").status_code == 302, "idle"

    client.post(LOGIN, {"username": "ada", "password": RIGHT})
    store = client.session
    store["logged_in_since"] = time.time() - 12 * 3600 + 60
    store.save()
    assert client.get("/admin/").status_code == 200, "busy, and not old yet"
    store["logged_in_since"] = time.time() - 12 * 3600 - 1
    store.save()
    assert client.get("/admin/").status_code == 302, "old, however busy"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("path", [LOGIN, "/admin/", "/static/admin/css/base.css", "/admin/nowhere/"])
def test_every_answer_says_what_a_browser_may_do(section: Section, path: str) -> None:
    answer = section.person().get(path)

    answer.close()
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_behind_https_browsers_are_kept_to_it(migrated_database: str) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "consumers", "admin", "--bind", f"{HOST}:{port}", "--workers", "1"],
        env={
            **os.environ,
            "DATABASE_URL": migrated_database,
            "PUBLIC_URL": "https://kompass.example.com",
            "METRICS_PORT": "off",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(lambda: answered(port) is not None, "the site answers", timeout=60)
        answer = answered(port)
        assert answer is not None
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "; Secure" in (answer.headers["Set-Cookie"] or "")
    finally:
        process.terminate()
        process.communicate(timeout=60)


def answered(port: int) -> http.client.HTTPResponse | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", LOGIN, headers={"Host": "kompass.example.com", "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return None
    finally:
        connection.close()
    return answer


def test_without_https_nothing_is_promised(section: Section) -> None:
    assert "Strict-Transport-Security" not in Client().get(LOGIN).headers
