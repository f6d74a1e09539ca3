"""No part of a password is printed, however badly it was written into an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from consumers.notifier.smtp import Mailer
from schemas.errors import RegistryUnavailable
from schemas.registry import RegistrySource
from store.address import DatabaseAddress
from sync.settings import BadSetting, settings_from, site_settings_from

HOST = "host.example"
ADDRESSES = {
    "DATABASE_URL": "postgresql://user:{}@host.example:5432/name",
    "SMTP_URL": "smtp+starttls://user:{}@host.example:587",
    "SCHEMA_REGISTRY_URL": "https://user:{}@host.example:8081/apis",
    "INTUIT_ENVIRONMENT": "http://user:{}@host.example:8030",
    "KAFKA_BOOTSTRAP_SERVERS": "user:{}@host.example:9092",
}
# Marks that no message of ours holds, so that finding one is finding a part of a password.
MARKS = ("zqxj", "QYW", "7391", "0x6b", "ŽŁŋ", "9")
SEPARATORS = (*"@:/?#[]%\\&=;,+ \t\n\"'{}|^~`<>!$*()", "%4", "%zz", "://", "/?", "@@")
PASSWORDS = st.lists(st.sampled_from(MARKS + SEPARATORS), min_size=1, max_size=8).map("".join)


def parts_of(password: str) -> list[str]:
    """What a message must not hold: the marks, but not such as are in the messages by themselves (a 9 is in 9092)."""
    return [mark for mark in MARKS if len(mark) > 1 and mark in password]


def refusal(environ: Mapping[str, str]) -> str | None:
    """What both readers say, None when both take it."""
    said = []
    for read in (settings_from, site_settings_from):
        try:
            read(environ)
        except BadSetting as error:
            said.append(str(error))
    return "\n".join(said) or None


@given(PASSWORDS, st.sampled_from(sorted(ADDRESSES)))
@example("7391/zqxj", "DATABASE_URL")
@example("7391/zqxj", "SMTP_URL")
@example("zqxj@QYW", "DATABASE_URL")
@example("7391?zqxj", "SCHEMA_REGISTRY_URL")
@example("50%zqxj", "DATABASE_URL")
@example("[zqxj", "SMTP_URL")
@example("zqxj/QYW", "INTUIT_ENVIRONMENT")
@example("zqxj,QYW", "KAFKA_BOOTSTRAP_SERVERS")
def test_an_address_with_a_raw_password_is_read_right_or_refused_without_it(password: str, name: str) -> None:
    value = ADDRESSES[name].format(password)

    words = refusal({name: value})

    if words is not None:
        assert not [part for part in parts_of(password) if part in words], words
        return
    assert name in ("DATABASE_URL", "SMTP_URL", "SCHEMA_REGISTRY_URL")
    shown = shown_of(name, value)
    assert HOST in shown, "what was taken for the host is the host"
    assert not [part for part in parts_of(password) if part in shown], shown


@given(PASSWORDS, st.sampled_from(["DATABASE_URL", "SMTP_URL", "SCHEMA_REGISTRY_URL"]))
def test_any_password_that_is_percent_encoded_is_taken(password: str, name: str) -> None:
    value = ADDRESSES[name].format(quote(password, safe=""))

    assert refusal({name: value}) is None
    if name == "DATABASE_URL":
        assert DatabaseAddress.parse(value).parameters["password"] == password
    else:
        assert unquote(urlsplit(value).password or "") == password
    assert not [part for part in parts_of(password) if part in shown_of(name, value)]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30),
    st.sampled_from(
        ["KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD", "KAFKA_SASL_OAUTHBEARER_CONFIG", "KAFKA_SSL_KEY_PEM"]
    ),
    st.sampled_from(
        [{}, {"KAFKA_SECURITY_PROTOCOL": "TLS"}, {"KAFKA_SESSION_TIMEOUT_MS": "soon"}, {"KAFKA_SASL_PASSWRD": "x"}]
    ),
)
@example("TLS", "KAFKA_SASL_PASSWORD", {"KAFKA_SECURITY_PROTOCOL": "TLS"})
@example("zqxj", "KAFKA_SSL_KEY_PEM", {})
def test_a_secret_of_kafka_is_in_no_message(secret: str, name: str, beside: dict[str, str]) -> None:
    words = refusal({name: secret, **beside})

    said = re.findall(r"refused by librdkafka \((.*?)\);", words or "")
    assert not secret.strip() or not [line for line in said if secret in line]


def shown_of(name: str, value: str) -> str:
    """What messages and pages show of an address that was taken."""
    if name == "DATABASE_URL":
        return str(DatabaseAddress.parse(value))
    if name == "SMTP_URL":
        return Mailer(value, sender="a@example.com").server
    try:
        return RegistrySource(value)._place
    except RegistryUnavailable as error:
        return str(error)
