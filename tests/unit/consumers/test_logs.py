from __future__ import annotations

import ast
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.logs import configure_logs, redact

ROOT = Path(__file__).parents[3]
SECRETS = (
    "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.access",
    "AB11refresh0123456789",
    "pa55word",
    "gAAAAABnX2Jkr3nqW2u0dJ0bYw6m1s7Zq9",
    "XAB1callbackcode",
)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield io.StringIO()
    root.handlers[:], root.level = before[0], before[1]
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRETS[0]}",
        f"grant_type=refresh_token&refresh_token={SECRETS[1]}&x=1",
        f'{{"refresh_token": "{SECRETS[1]}", "expires_in": 3600}}',
        f"postgresql://kompass:{SECRETS[2]}@db/kompass_qbo",
        f"stored {SECRETS[3]}",
        f"GET /callback?code={SECRETS[4]}&realmId=934",
        f"client_secret='{SECRETS[2]}'",
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_logged(written: io.StringIO, text: str, log_format: str) -> None:
    configure_logs(log_format, stream=written)

    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("test").exception("refused: %s", text, extra={"detail": text, "access_token": SECRETS[0]})

    assert "[redacted]" in written.getvalue()
    assert not [secret for secret in SECRETS if secret in written.getvalue()]


def test_what_is_no_secret_stays() -> None:
    text = "fault code: 6240 of invoice 24-0329/1, token expired: see https://example.com/a:b@c"

    assert redact(text) == text


def test_a_json_line_is_one_object_with_its_ids(written: io.StringIO) -> None:
    configure_logs("json", stream=written)

    logging.getLogger("consumers.push").info("pushed\n%s", "Zoë", extra={"realm": "934", "ms": 85, "cause": None})

    (line,) = written.getvalue().splitlines()
    assert json.loads(line) | {"at": ""} == {
        "at": "",
        "level": "info",
        "logger": "consumers.push",
        "message": "pushed\nZoë",
        "realm": "934",
        "ms": 85,
    }


def test_a_text_line_stays_one_line(written: io.StringIO) -> None:
    configure_logs("text", stream=written)

    logging.getLogger("consumers.push").info("pushed\nnot a record", extra={"realm": "934", "name_in_qbo": "Zoë Ltd"})

    (line,) = written.getvalue().splitlines()
    assert line.endswith("consumers.push pushed\\nnot a record realm=934 name_in_qbo='Zoë Ltd'")


def test_details_only_when_asked_for(written: io.StringIO) -> None:
    configure_logs("text", stream=written)
    logging.getLogger("test").debug("detail")
    configure_logs("text", debug=True, stream=written)
    logging.getLogger("test").debug("more detail")

    assert "more detail" in written.getvalue()
    assert written.getvalue().count("detail") == 1


def test_no_kafka_client_writes_lines_of_its_own() -> None:
    """librdkafka writes to standard error, where the log may be JSON, unless a client has a logger or says nothing."""
    unheard: list[str] = []
    clients = 0
    for path in [*(ROOT / "consumers").rglob("*.py"), *(ROOT / "sync").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Consumer", "Producer", "AdminClient"):
                clients += 1
                if not any(word.arg == "logger" for word in call.keywords) and "silent(" not in ast.unparse(call):
                    unheard.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert not unheard
    assert clients > 8


def test_a_client_that_asks_says_nothing_even_when_librdkafka_is_debugged() -> None:
    program = (
        "from confluent_kafka import Producer; from sync.settings import silent\n"
        "client = Producer(silent({'bootstrap.servers': '127.0.0.1:1', 'debug': 'all'})); client.flush(0.1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""


def test_a_crash_in_a_thread_is_one_json_object() -> None:
    program = (
        "import threading; from consumers.logs import configure_logs, log_crashes\n"
        "configure_logs('json'); log_crashes()\n"
        "thread = threading.Thread(target=lambda: 1 / 0, name='worker'); thread.start(); thread.join()\n"
        "class Odd:\n    def __del__(self): raise ValueError('odd')\n"
        "Odd()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    crash, ignored = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (crash["level"], crash["message"]) == ("critical", "thread worker ended by an unexpected ZeroDivisionError")
    assert crash["traceback"].endswith("ZeroDivisionError: division by zero")
    assert ignored["traceback"].endswith("ValueError: odd")
