"""What the site takes from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin.database_url import django_database, sqlalchemy_url
from admin.environment import EMBEDDED, BadEnvironment, read_environment
from consumers.settings import EMBEDDED as CONSUMERS_EMBEDDED
from store.errors import BadDatabaseUrl

OURS_ALONE = {"SECRET_KEY"}


def test_the_defaults_are_those_of_the_other_processes() -> None:
    ours = {name: value for name, value in EMBEDDED.items() if name not in OURS_ALONE}
    assert ours == {name: CONSUMERS_EMBEDDED[name] for name in ours}


def test_real_intuit_wants_every_secret() -> None:
    assert read_environment({}).unsafe_defaults == ()
    missing = read_environment({"INTUIT_ENVIRONMENT": "production"}).unsafe_defaults
    assert set(missing) == set(EMBEDDED) - {"INTUIT_ENVIRONMENT"}


def test_secrets_do_not_show() -> None:
    shown = repr(read_environment({"SECRET_KEY": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/x"}))
    assert "hunter2" not in shown


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    assert read_environment({"SECRET_KEY_FILE": str(file)}).secret_key == "from-a-file"
    with pytest.raises(BadEnvironment, match=r"^TOKEN_KEYS_FILE is '/nowhere', which cannot be read"):
        read_environment({"TOKEN_KEYS_FILE": "/nowhere"})


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "https://", "https://x/?a=b"])
def test_a_public_url_is_an_address(url: str) -> None:
    with pytest.raises(BadEnvironment, match=r"^PUBLIC_URL is "):
        read_environment({"PUBLIC_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss@db.example:6432/kompass",
        "postgresql://postgres@/kompass?host=%2Frun%2Fpostgresql",
        "postgresql://user@db/kompass?sslmode=require",
    ],
)
def test_django_and_sqlalchemy_mean_the_same_database(url: str) -> None:
    settings = django_database(url)
    again = django_database(sqlalchemy_url(settings))
    assert {key: again[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")} == {
        key: settings[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    }


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://h/x", "postgresql://h"])
def test_a_bad_database_url_is_named(url: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=r"^DATABASE_URL"):
        django_database(url)
