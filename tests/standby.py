"""A second PostgreSQL that follows the first and can take its place."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

import psycopg

from demo.embedded.ports import HOST
from demo.embedded.postgres import USER, EmbeddedPostgres


class Standby(EmbeddedPostgres):
    """A hot standby of a running server, made with pg_basebackup. The primary waits for it at every commit."""

    def __init__(self, primary: EmbeddedPostgres) -> None:
        super().__init__()
        self._primary = primary

    def __enter__(self) -> Self:
        try:
            self.start()
            with psycopg.connect(self._primary.url_of("postgres"), autocommit=True) as db:
                db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                db.execute("SELECT pg_reload_conf()")
                deadline = time.monotonic() + 60
                while db.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() is None:
                    assert time.monotonic() < deadline, f"the standby does not follow: {self.log.read_text()}"
                    time.sleep(0.05)
        except BaseException:
            self.close()
            raise
        return self

    def promote(self) -> None:
        """Make this the primary; returns when it takes writes."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as db:
            assert db.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

    def _initialise(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        command: list[str | Path] = [
            self._binaries / "pg_basebackup", "--host", HOST, "--port", str(self._primary.port), "--username", USER,
            "--pgdata", self.directory, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            code = self._spawn(command, log.fileno()).wait()
        assert code == 0, self.log.read_text()
