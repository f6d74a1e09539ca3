from __future__ import annotations

from pathlib import Path

import pytest

from sync.settings import (
    DEMO_DEFAULTS,
    AttemptPolicy,
    BadSetting,
    Environment,
    MetricsAddress,
    ProcessPolicy,
    read_database,
    read_kafka,
    settings_from,
    site_settings_from,
)
from sync.settings.declarations import SECRETS, SETTINGS, Reader
from sync.settings.reference import reference

KEY = DEMO_DEFAULTS["TOKEN_KEYS"]
REAL = {
    "INTUIT_ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://sync:hunter2@db.example.com/kompass_qbo",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka-1.example.com:9092,kafka-2.example.com:9092",
    "INTUIT_CLIENT_ID": "AB1",
    "INTUIT_CLIENT_SECRET": "s3cret-of-intuit",
    "TOKEN_KEYS": KEY,
    "PUBLIC_URL": "https://kompass.example.com/",
    "SMTP_URL": "smtp+starttls://mailer:pa55word@mail.example.com:587",
    "MAIL_FROM": "Kompass <sync@example.com>",
}


def test_an_empty_environment_is_the_demo() -> None:
    settings = settings_from({})

    assert settings.database_url == "postgresql://kompass@127.0.0.1:15432/kompass_qbo"
    assert settings.kafka == {"bootstrap.servers": "127.0.0.1:19092"}
    assert settings.intuit.api_base_url == "http://127.0.0.1:18080"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.operator_mail == "operator@localhost"
    assert settings.attempts == AttemptPolicy()
    assert settings.process == ProcessPolicy()


def test_a_production_environment_is_read() -> None:
    settings = settings_from(REAL)

    assert settings.intuit.name == "production"
    assert settings.public_url == "https://kompass.example.com"
    assert settings.operator_mail is None
    assert settings.schema_registry_url is None


@pytest.mark.parametrize("name", [name for name in REAL if name != "INTUIT_ENVIRONMENT"])
def test_production_takes_no_default_of_the_demo(name: str) -> None:
    with pytest.raises(BadSetting, match=rf"^{name} is not set; INTUIT_ENVIRONMENT=production needs it"):
        settings_from({key: value for key, value in REAL.items() if key != name})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DATABASE_URL": "mysql://db/kompass"}, "DATABASE_URL is not a PostgreSQL address"),
        ({"DATABASE_URL": "postgresql://db:port/kompass"}, "DATABASE_URL has a port that is no number"),
        ({"INTUIT_ENVIRONMENT": "prod"}, "INTUIT_ENVIRONMENT is 'prod'"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka one:9092"}, "KAFKA_BOOTSTRAP_SERVERS holds 'kafka one:9092'"),
        ({"KAFKA_SECURITY_PROTOCOLL": "SSL"}, "KAFKA_SECURITY_PROTOCOLL is refused by librdkafka"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is refused by librdkafka"),
        ({"KAFKA_SESSION_TIMEOUT_MS": "soon"}, "KAFKA_SESSION_TIMEOUT_MS is refused by librdkafka"),
        # librdkafka knows it by another name, which nobody has set.
        ({"KAFKA_LINGER_MS": "soon"}, "KAFKA_LINGER_MS is refused by librdkafka"),
        ({"SCHEMA_REGISTRY_URL": "registry:8081"}, "SCHEMA_REGISTRY_URL is not an address"),
        ({"TOKEN_KEYS": "short"}, "TOKEN_KEYS cannot be used: key 1 of 1 is not a Fernet key"),
        ({"PUBLIC_URL": "kompass.example.com"}, "PUBLIC_URL is not an address"),
        ({"SMTP_URL": "http://mail"}, "SMTP_URL is not an address"),
        ({"MAIL_FROM": "nobody"}, "MAIL_FROM is 'nobody'"),
        ({"OPERATOR_MAIL": "nobody"}, "OPERATOR_MAIL is 'nobody'"),
        ({"METRICS_PORT": "ninety"}, "METRICS_PORT is 'ninety'"),
        ({"METRICS_PORT": "70000"}, "METRICS_PORT is '70000'"),
        ({"METRICS_ORG_LABEL": "maybe"}, "METRICS_ORG_LABEL is 'maybe'"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is 'xml'"),
        ({"KOMPASS_QBO_WORKERS": "0"}, "KOMPASS_QBO_WORKERS is '0'"),
        ({"KOMPASS_QBO_WORKERS": "2.5"}, "KOMPASS_QBO_WORKERS is '2.5'"),
        (
            {"KOMPASS_QBO_BATCH_ITEMS": "31"},
            "KOMPASS_QBO_BATCH_ITEMS is '31'; give a whole number above 0 and at most 30",
        ),
        ({"KOMPASS_QBO_LEASE_SECONDS": "nan"}, "KOMPASS_QBO_LEASE_SECONDS is 'nan'"),
        (
            {"KOMPASS_QBO_LEASE": "3"},
            "KOMPASS_QBO_LEASE is not a setting; the nearest one is KOMPASS_QBO_LEASE_SECONDS",
        ),
        ({"TOKEN_KEYS_FILE": "/does/not/exist"}, "TOKEN_KEYS_FILE is '/does/not/exist', which cannot be read"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(environ: dict[str, str], message: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings_from(environ)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value), "a remedy follows"


@pytest.mark.parametrize(
    "environ",
    [
        {**REAL, "DATABASE_URL": "mysql://sync:hunter2@db/kompass"},
        {**REAL, "SMTP_URL": "http://mailer:hunter2@mail"},
        {**REAL, "TOKEN_KEYS": "hunter2"},
        {**REAL, "SCHEMA_REGISTRY_URL": "ftp://me:hunter2@registry"},
    ],
)
def test_no_message_holds_a_secret(environ: dict[str, str]) -> None:
    with pytest.raises(BadSetting) as caught:
        settings_from(environ)

    assert "hunter2" not in str(caught.value)


def test_the_settings_do_not_show_secrets() -> None:
    shown = repr(settings_from({**REAL, "KAFKA_SASL_PASSWORD": "pa55-of-kafka"}))

    for secret in ("hunter2", "s3cret-of-intuit", "pa55word", "pa55-of-kafka", KEY):
        assert secret not in shown


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "client-secret"
    secret.write_text("from a file\n", "utf-8")

    assert settings_from({"INTUIT_CLIENT_SECRET_FILE": str(secret)}).intuit_client_secret == "from a file"
    with pytest.raises(BadSetting, match=r"^INTUIT_CLIENT_SECRET_FILE is set and INTUIT_CLIENT_SECRET too"):
        settings_from({"INTUIT_CLIENT_SECRET_FILE": str(secret), "INTUIT_CLIENT_SECRET": "x"})


def test_any_librdkafka_setting_passes_and_what_others_put_there_does_not() -> None:
    settings = read_kafka(
        Environment(
            {
                "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
                "KAFKA_GROUP_PROTOCOL": "consumer",
                "KAFKA_SASL_USERNAME": "sync",
                "KAFKA_SERVICE_HOST": "10.0.0.7",
                "KAFKA_PORT": "tcp://10.0.0.7:9092",
                "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.7",
                "KAFKA_HEAP_OPTS": "-Xmx1G",
            }
        )
    )

    assert settings == {"bootstrap.servers": "kafka:9092", "group.protocol": "consumer", "sasl.username": "sync"}


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("9464", MetricsAddress("0.0.0.0", 9464)),
        ("127.0.0.1:19101", MetricsAddress("127.0.0.1", 19101)),
        ("[::1]:9464", MetricsAddress("::1", 9464)),
        ("off", None),
    ],
)
def test_where_metrics_are_served(value: str, address: MetricsAddress | None) -> None:
    assert settings_from({"METRICS_PORT": value}).metrics == address


def test_timings_are_set_by_name() -> None:
    settings = settings_from({"KOMPASS_QBO_LEASE_SECONDS": "0.5", "KOMPASS_QBO_WORKERS": "3"})

    assert (settings.attempts.lease_seconds, settings.process.workers) == (0.5, 3)


def test_the_admin_site_reads_the_same_settings() -> None:
    """A value that one process refuses is refused by the other, in the same words."""
    site, settings = site_settings_from(REAL | {"SECRET_KEY": "x"}), settings_from(REAL)
    shared = ("database_url", "intuit", "intuit_client_secret", "token_keys", "public_url", "metrics", "attempts")

    assert [getattr(site, name) for name in shared] == [getattr(settings, name) for name in shared]
    for wrong in ({"METRICS_PORT": "ninety"}, {"KOMPASS_QBO_LEASE": "3"}, {"INTUIT_CLIENT_ID": ""}):
        words = []
        for read in (settings_from, site_settings_from):
            with pytest.raises(BadSetting) as caught:
                read(REAL | wrong)
            words.append(str(caught.value))
        assert words[0] == words[1]


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS if setting.required])
def test_what_is_required_is_asked_for_by_those_who_read_it(name: str) -> None:
    environ = {key: value for key, value in (REAL | {"SECRET_KEY": "x"}).items() if key != name}
    reader = next(setting.reader for setting in SETTINGS if setting.name == name)

    for read, readers in (
        (settings_from, (Reader.ALL, Reader.CONSUMERS, Reader.NOTIFIER)),
        (site_settings_from, (Reader.ALL, Reader.ADMIN)),
    ):
        if reader in readers:
            with pytest.raises(BadSetting, match=rf"^{name} is not set; INTUIT_ENVIRONMENT=production needs it"):
                read(environ)
        else:
            read(environ)


def test_a_command_that_needs_the_database_alone_takes_no_default_of_the_demo_either() -> None:
    with pytest.raises(BadSetting, match=r"^DATABASE_URL is not set; INTUIT_ENVIRONMENT=sandbox needs it"):
        read_database(Environment({"INTUIT_ENVIRONMENT": "sandbox"}))


def test_every_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    for name in (*sorted(SECRETS), "KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD"):
        secret.write_text("hunter2\n", "utf-8")
        assert Environment({f"{name}_FILE": str(secret)}).given(name) == "hunter2"
        with pytest.raises(BadSetting, match=rf"^{name}_FILE is set and {name} too; give one of them$"):
            Environment({f"{name}_FILE": str(secret), name: "hunter2"}).given(name)
    kafka = read_kafka(Environment({"KAFKA_SASL_PASSWORD_FILE": str(secret)}))
    assert kafka["sasl.password"] == "hunter2"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"PUBLIC_URL": "kompass.example.com"}, "PUBLIC_URL is not an address ('kompass.example.com')"),
        ({"PUBLIC_URL": "https://"}, "PUBLIC_URL is not an address"),
        ({"PUBLIC_URL": "https://x/?a=b"}, "PUBLIC_URL has a query"),
        ({"TIME_ZONE": "Europe/Wien"}, "TIME_ZONE is 'Europe/Wien'; give a name of the tz database"),
        ({"DEBUG": "yes"}, "DEBUG is 'yes'; give 0 or 1"),
    ],
)
def test_a_bad_setting_of_the_site_is_one_line_that_names_it(environ: dict[str, str], message: str) -> None:
    with pytest.raises(BadSetting) as caught:
        site_settings_from(environ)

    assert str(caught.value).startswith(message)


def test_the_page_of_the_settings_is_generated() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text("utf-8")

    assert page == reference() + "\n", "run: python -m sync.settings.reference > docs/settings.md"
