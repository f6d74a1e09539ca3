"""The admin for tests: served as a process of its own, with the simulator as Intuit and the pipeline driven by the test."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from demo.embedded.ports import free_port
from simulator import Simulator
from store.secrets import TokenKeys
from tests.pipeline import Pipeline, open_pipeline

ROOT = Path(__file__).resolve().parents[1]
CLIENT_ID = "kompass-test"
PASSWORD = "correct horse battery staple"


@dataclass
class Site:
    """A served admin. Every secret in it is known, so that a test can look for them in all that it produced."""

    url: str
    database_url: str
    simulator: Simulator
    environ: dict[str, str]
    log: Path
    secrets: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    pipelines: list[Pipeline] = field(default_factory=list)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def pipeline(self) -> Pipeline:
        """The pipeline on the same database and with the same keys."""
        if not self.pipelines:
            made = open_pipeline(self.database_url, self.simulator, keys=TokenKeys.parse(self.environ["TOKEN_KEYS"]))
            self.pipelines.append(made)
        return self.pipelines[0]

    def close(self) -> None:
        for made in self.pipelines:
            made.close()
            made.engine.dispose()


def environment(database_url: str, simulator: Simulator, port: int) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "INTUIT_ENVIRONMENT": simulator.base_url,
        "INTUIT_CLIENT_ID": CLIENT_ID,
        "INTUIT_CLIENT_SECRET": f"client-secret-{secrets.token_hex(8)}",
        "TOKEN_KEYS": Fernet.generate_key().decode(),
        "SECRET_KEY": f"django-secret-{secrets.token_hex(24)}",
        "DJANGO_SETTINGS_MODULE": "admin.settings",
        "METRICS_PORT": f"127.0.0.1:{free_port()}",
    }


@contextmanager
def served(database_url: str, simulator: Simulator, directory: Path) -> Iterator[Site]:
    """Serve the admin with gunicorn, as `kompass-qbo admin` does."""
    port = free_port()
    environ = environment(database_url, simulator, port)
    log = directory / "admin.log"
    site = Site(
        url=f"http://127.0.0.1:{port}",
        database_url=database_url,
        simulator=simulator,
        environ=environ,
        log=log,
        secrets={name: environ[name] for name in ("INTUIT_CLIENT_SECRET", "TOKEN_KEYS", "SECRET_KEY")},
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from admin.commands import admin; admin()", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    site.process = process
    try:
        _wait_for(f"{site.url}/admin/login/", process, log)
        yield site
    finally:
        site.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=60).close()
        except urllib.error.HTTPError:
            raise
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the admin did not start: {log.read_text()}") from None
            time.sleep(0.1)
        else:
            return


def make_user(site: Site, name: str, *, group: str = "", superuser: bool = False) -> None:
    """Make a person who may sign in, in a group or with every right."""
    script = (
        "import sys, django; django.setup()\n"
        "from django.contrib.auth.models import Group, User\n"
        "name, password, group, superuser = sys.argv[1:]\n"
        "user = User.objects.create_user(name, f'{name}@example.com', password, is_staff=True,"
        " is_superuser=superuser == 'True')\n"
        "if group: user.groups.add(Group.objects.get(name=group))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, name, PASSWORD, group, str(superuser)],
        cwd=ROOT,
        env={**os.environ, **site.environ},
        check=True,
        timeout=60,
        capture_output=True,
    )
