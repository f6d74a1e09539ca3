"""Point-in-time recovery with the server's own tools: pg_basebackup, an archive of its WAL, and a named restore point."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from demo.embedded.ports import HOST
from demo.embedded.postgres import USER, EmbeddedPostgres

_POINT = "backup"


class PointInTime:
    """A base backup of a server, and an archive of its WAL from now on. A context manager; at its end the archive ends."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        # Below the system's temporary directory, where the server's account may walk.
        self._directory = Path(tempfile.mkdtemp(prefix="kqwal-", dir="/tmp"))
        self._archive, self._base = self._directory / "archive", self._directory / "base"

    def __enter__(self) -> Self:
        self._directory.chmod(0o711)
        for directory in (self._archive, self._base):
            directory.mkdir(mode=0o700)
            if self._server._account is not None:
                os.chown(directory, self._server._account.pw_uid, self._server._account.pw_gid)
        self._ask(
            "ALTER SYSTEM SET archive_mode = on", f"ALTER SYSTEM SET archive_command = 'cp %p {self._archive}/%f'"
        )
        self._server.stop()
        self._server.start()
        command = [
            self._server._binaries / "pg_basebackup", "--host", HOST, "--port", str(self._server.port), "--username", USER,
            "--pgdata", self._base, "--checkpoint", "fast", "--no-sync",
        ]  # fmt: skip
        with self._server.log.open("ab") as log:
            assert self._server._spawn(command, log.fileno()).wait() == 0, self._server.log.read_text()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ask("ALTER SYSTEM RESET ALL")
        self._server.stop()
        self._server.start()
        shutil.rmtree(self._directory, ignore_errors=True)

    def take(self) -> Callable[[], None]:
        """Name this moment, and give what brings the server back to it."""
        self._ask(f"SELECT pg_create_restore_point('{_POINT}')")
        return self._restore

    def _restore(self) -> None:
        self._ask("SELECT pg_switch_wal()")
        # Stopped in order, it archives what it has.
        self._server.stop()
        shutil.rmtree(self._server.directory)
        shutil.move(self._base, self._server.directory)
        with (self._server.directory / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"restore_command = 'cp {self._archive}/%f %p'\nrecovery_target_name = '{_POINT}'\n"
                "recovery_target_action = 'promote'\n"
            )
        (self._server.directory / "recovery.signal").touch()
        self._server.start()

    def _ask(self, *statements: str) -> None:
        with psycopg.connect(self._server.url_of("postgres"), autocommit=True) as db:
            for statement in statements:
                db.execute(statement.encode())
