# ruff: noqa: E402 - Django is set up before its models are imported
"""The admin in this process, on a fresh database and with the simulator as Intuit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin.settings")
import django

django.setup()

from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, Permission, User
from django.db import connections
from django.test import Client
from django.test.utils import override_settings, setup_test_environment, teardown_test_environment

from admin.databases import django_database
from admin.quickbooks_online import runtime
from admin.quickbooks_online.models import Configuration
from simulator import Settings, Simulator
from store.secrets import TokenKeys
from tests.pipeline import Pipeline, open_pipeline

GROUP = "Quickbooks Online admins"


_within: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def django_in_tests() -> Iterator[None]:
    """Once, however many packages of tests want it: Django refuses a second time."""
    if not _within:
        setup_test_environment()
    _within.append("a package of tests")
    yield
    _within.pop()
    if not _within:
        teardown_test_environment()


@pytest.fixture
def database(migrated_database: str) -> Iterator[str]:
    """Django's default database is this test's."""
    connection = connections["default"]
    connection.close()
    before = dict(connection.settings_dict)
    connection.settings_dict.update({**django_database(migrated_database), "CONN_MAX_AGE": 0})
    yield migrated_database
    connection.close()
    runtime.engine().dispose()
    runtime._engine.cache_clear()
    connection.settings_dict.update(before)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit:
        yield intuit


@dataclass
class Section:
    """The section as a person with a browser meets it, minus the browser."""

    simulator: Simulator
    pipeline: Pipeline
    secrets: tuple[str, ...]

    def person(self, name: str = "ada", *permissions: str, group: bool = False, **more: Any) -> Client:
        """Somebody who is signed in, with these permissions."""
        # Without a password, which takes a third of a second to hash: nobody here signs in with one.
        user = User.objects.create_user(name, is_staff=more.pop("is_staff", True), **more)
        if group:
            user.groups.add(Group.objects.get(name=GROUP))
        known = Permission.objects.filter(codename__in=permissions, content_type__app_label="quickbooks_online")
        assert {one.codename for one in known} == set(permissions)
        user.user_permissions.set(known)
        client = Client()
        client.force_login(user)
        return client

    def configuration(self) -> Configuration:
        return Configuration.objects.get()

    def requests(self, entity: str = "") -> int:
        """How many API requests Intuit has seen."""
        return sum(1 for one in self.pipeline.requests() if one.path.startswith("/v3") and entity in one.entity)


@pytest.fixture
def section(database: str, simulator: Simulator) -> Iterator[Section]:
    keys, secret = Fernet.generate_key().decode(), "the-client-secret-of-this-test"
    made = open_pipeline(database, simulator, keys=TokenKeys.parse(keys))
    ours = {
        "PUBLIC_URL": "http://testserver",
        "INTUIT_ENVIRONMENT": simulator.base_url,
        "INTUIT_CLIENT_ID": "kompass-test",
        "INTUIT_CLIENT_SECRET": secret,
        "TOKEN_KEYS": keys,
    }
    with override_settings(QUICKBOOKS_ONLINE=ours, STORAGES=_PLAIN_STATIC):
        yield Section(simulator, made, (keys, secret))
        runtime.intuit().transport.close()
        runtime.intuit().oauth.close()
    runtime._intuit.cache_clear()
    made.close()
    made.engine.dispose()


_PLAIN_STATIC = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@pytest.fixture
def authorize(simulator: Simulator) -> Callable[[str], dict[str, str]]:
    """What Intuit's pages do: given the address a person was sent to, the parameters of the way back."""

    def back(address: str, realm: str) -> dict[str, str]:
        import requests

        with requests.Session() as browser:
            page = browser.get(address, timeout=60)
            for step, extra in (
                ("sign-in", {"email": "owner@larch.example", "password": "x"}),
                ("decision", {"realm": realm, "decision": "connect"}),
            ):
                hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
                page = browser.post(
                    f"{simulator.base_url}/connect/oauth2/{step}",
                    data={**{key: _plain(value) for key, value in hidden.items()}, **extra},
                    allow_redirects=False,
                    timeout=60,
                )
        from urllib.parse import parse_qs

        assert page.status_code in (302, 303), page.text
        return {key: values[0] for key, values in parse_qs(urlsplit(page.headers["Location"]).query).items()}

    return back  # type: ignore[return-value]


def _plain(value: str) -> str:
    from html import unescape

    return unescape(value)


def words(response: Any) -> str:
    """A page as text, entities resolved."""
    from html import unescape

    content = b"".join(response.streaming_content) if response.streaming else response.content
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content.decode())))
