"""`kompass-qbo migrate` and `kompass-qbo admin` as an operator meets them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from demo.embedded.ports import free_port

RUN = [sys.executable, "-c", "import sys; from admin import commands; getattr(commands, sys.argv.pop(1))()"]


def run(command: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, command, *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "environ", "code", "words"),
    [
        ("migrate", {"DATABASE_URL": "nonsense"}, 3, "DATABASE_URL is not a PostgreSQL address"),
        ("admin", {"DATABASE_URL": "mysql://root@127.0.0.1/x"}, 3, "DATABASE_URL is not a PostgreSQL address"),
        ("migrate", {"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}, 4, "does not answer"),
        ("admin", {"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}, 4, "does not answer"),
        ("migrate", {"METRICS_PORT": "ninety"}, 3, "METRICS_PORT is 'ninety'"),
        ("admin", {"PUBLIC_URL": "kompass.example.com"}, 3, "PUBLIC_URL is not an address ('kompass.example.com')"),
        (
            "migrate",
            {"INTUIT_ENVIRONMENT": "production", "DATABASE_URL": "postgresql://u@h/x"},
            3,
            "INTUIT_CLIENT_ID is not set",
        ),
    ],
)
def test_a_bad_setting_is_one_line(command: str, environ: dict[str, str], code: int, words: str) -> None:
    result = run(command, **environ)
    assert result.returncode == code
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "hunter2" not in result.stderr


def test_an_unmigrated_database_is_named(database_server: object, migrated_database: str) -> None:
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        connection.execute("DROP TABLE qbo_outbox")
    result = run("admin", DATABASE_URL=migrated_database)
    assert result.returncode == 5
    assert result.stderr.strip().endswith("lacks qbo_outbox; run: kompass-qbo migrate")


def test_migrate_is_safe_to_run_again(migrated_database: str) -> None:
    result = run("migrate", DATABASE_URL=migrated_database)
    assert result.returncode == 0, result.stderr
    assert "No migrations to apply" in result.stdout


def test_admin_serves_and_stops_on_sigterm(migrated_database: str) -> None:
    port, metrics = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "consumers", "admin", "--bind", f"127.0.0.1:{port}", "--workers", "2"],
        env={
            **os.environ,
            "DATABASE_URL": migrated_database,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "METRICS_PORT": f"127.0.0.1:{metrics}",
            "LOG_FORMAT": "json",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        page = _get(f"http://127.0.0.1:{port}/admin/login/", until=time.monotonic() + 60)
        assert "Log in" in page
        assert ".css" in page
        assert json.loads(_get(f"http://127.0.0.1:{metrics}/livez")) == {"ok": True, "problems": {}}
        assert json.loads(_get(f"http://127.0.0.1:{metrics}/readyz")) == {"ok": True, "problems": {}}
        assert "kompass_qbo_build_info{" in _get(f"http://127.0.0.1:{metrics}/metrics")
        # Every worker's numbers outlive it, however it ends.
        for worker, number in zip(workers_of(process.pid), (signal.SIGABRT, signal.SIGKILL), strict=True):
            os.kill(worker, number)
        assert "kompass_qbo_build_info{" in _get(f"http://127.0.0.1:{metrics}/metrics")
        # What people reach shows none of it, and the probes' port nothing of the site.
        for elsewhere in (f"{port}/metrics", f"{port}/livez", f"{metrics}/admin/login/"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                _get(f"http://127.0.0.1:{elsewhere}")
        with psycopg.connect(migrated_database, dbname="postgres", autocommit=True) as elsewhere:
            name = make_url(migrated_database).database
            elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')  # type: ignore[arg-type]
            elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(urllib.error.HTTPError, match="503"):
            _get(f"http://127.0.0.1:{metrics}/readyz")
        assert json.loads(_get(f"http://127.0.0.1:{metrics}/livez"))["ok"], "a restart would fix nothing"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    lines = [json.loads(line) for line in output.splitlines()]
    assert any(f":{metrics}/metrics" in line["message"] for line in lines)
    assert any(line["logger"] == "gunicorn.error" and "SIGKILL" in line["message"] for line in lines), output
    assert any("gthread" in line.get("stacks", "") for line in lines), output


def test_a_taken_metrics_port_is_one_line(migrated_database: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("admin", DATABASE_URL=migrated_database, METRICS_PORT=address)
    assert result.returncode == 3
    assert f"METRICS_PORT: cannot listen on {address}" in result.stderr


def workers_of(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def _get(url: str, *, until: float = 0.0) -> str:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
