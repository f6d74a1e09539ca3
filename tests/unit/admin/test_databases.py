"""Django and `store` work on one database, at an address of any form."""

from __future__ import annotations

import pytest

from admin.databases import address_of, django_database
from store.address import DatabaseAddress
from store.errors import BadDatabaseUrl


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss@db.example:6432/kompass",
        "postgresql://postgres@/kompass?host=%2Frun%2Fpostgresql",
        "postgresql://user@db/kompass?sslmode=require",
        "postgresql://user:p@one:5432,two:5433/kompass?target_session_attrs=read-write",
        "postgres://user@[::1]:5432/kompass",
    ],
)
def test_django_and_the_pipeline_mean_the_same_database(url: str) -> None:
    given = DatabaseAddress.parse(url).parameters
    again = address_of(django_database(url)).parameters

    assert given.items() <= again.items()
    assert again.keys() - given.keys() == {"connect_timeout", "application_name"}


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://h/x", "postgresql://h", "postgresql:///name"])
def test_a_bad_database_url_is_named(url: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=r"^DATABASE_URL"):
        django_database(url)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("sslmode", "verify-full", "verify"),
        ("target_session_attrs", "read-write", "primry"),
        ("connect_timeout", "5", "5s"),
        ("keepalives_idle", "10", "ten"),
        ("channel_binding", "require", "yes"),
        ("ssl_min_protocol_version", "TLSv1.3", "1.3"),
        ("load_balance_hosts", "random", "on"),
    ],
)
def test_an_option_has_a_value_that_libpq_takes(name: str, good: str, bad: str) -> None:
    address = "postgresql://user:hidden@one,two/kompass?application_name=x&"
    assert DatabaseAddress.parse(f"{address}{name}={good}").parameters[name] == good
    with pytest.raises(BadDatabaseUrl, match=rf"^DATABASE_URL gives {name} a value") as refused:
        DatabaseAddress.parse(f"{address}{name}={bad}")
    assert "hidden" not in str(refused.value)
