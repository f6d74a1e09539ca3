"""The address of a PostgreSQL database as libpq reads it, for SQLAlchemy, psycopg and Django alike.

libpq parses it, so several hosts with ports, ``target_session_attrs``, Unix sockets and TLS settings mean what PostgreSQL's
documentation says ("Connection URIs"). libpq's messages repeat parts of the address: ours never do, one may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus, PGconn
from sqlalchemy import URL, Engine

from store.errors import BadDatabaseUrl

_FORM: Final = "it should read postgresql://user:password@host:5432/name"
_ENCODED: Final = "write @ : / ? [ ] % and spaces of a user or password as %40 %3A %2F %3F %5B %5D %25 %20"
_SCHEMES: Final = ("postgresql", "postgres")
_NUMBERS: Final = frozenset(
    {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
_WHERE_AND_WHO: Final = frozenset(
    {"host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service", "application_name"}
)
_NOWHERE: Final = "/nowhere"
"""A socket that is not there: libpq looks at every value of an address before it looks for the first host."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is, and who we are there. Its `str` holds no password."""

    parameters: Mapping[str, str] = field(repr=False)
    """libpq's keywords: ``host`` and ``port`` may be lists with commas."""

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        """Read ``postgresql://user:password@host:5432,other:5432/name?target_session_attrs=read-write``.

        Raises
        ------
        BadDatabaseUrl
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise BadDatabaseUrl(f"DATABASE_URL is not a PostgreSQL address; {_FORM}")
        authority = re.split(r"[/?]", rest, maxsplit=1)[0]
        user = authority.rpartition("@")[0]
        # What separates parts occurs only where it does: else libpq takes part of a password for a host, and says so.
        if (
            rest.count("@") > 1
            or "@" in rest[len(authority) :]
            or user.count(":") > 1
            or re.search(r"[\[\]]", user)
            or re.search(r"[\x00-\x20\x7f]", url)
        ):
            raise BadDatabaseUrl(f"DATABASE_URL is not a PostgreSQL address; {_ENCODED}")
        try:
            parameters = conninfo_to_dict(url)
        except (ProgrammingError, UnicodeError):
            raise BadDatabaseUrl(
                f"DATABASE_URL is not a PostgreSQL address, or has an option that libpq does not know; {_FORM}, and {_ENCODED}"
            ) from None
        address = cls({name: str(value) for name, value in parameters.items() if value is not None})
        address._check()
        return address

    def _check(self) -> None:
        if not self.parameters.get("dbname"):
            raise BadDatabaseUrl(f"DATABASE_URL names no database; {_FORM}")
        if not self.hosts:
            raise BadDatabaseUrl(f"DATABASE_URL names no host; {_FORM}, or ?host=/run/postgresql for a Unix socket")
        ports = [port for port in self.parameters.get("port", "").split(",") if port]
        if not all(port.isascii() and port.isdigit() and 0 < int(port) < 65536 for port in ports):
            raise BadDatabaseUrl("DATABASE_URL has a port that is no number from 1 to 65535; " + _FORM)
        if len(ports) > 1 and len(ports) != len(self.hosts):
            raise BadDatabaseUrl("DATABASE_URL has another number of ports than of hosts; give each host its port")
        self._check_values()

    def _check_values(self) -> None:
        values = {name: value for name, value in self.parameters.items() if name not in _WHERE_AND_WHO}
        wrong = [name for name in values if name in _NUMBERS and not re.fullmatch(r"-?[0-9]{1,9}", values[name])]
        trial = PGconn.connect_start(make_conninfo(host=_NOWHERE, **values).encode())
        words = trial.error_message.decode("utf-8", "replace")
        if trial.status == ConnStatus.BAD and not words.startswith("connection to server"):
            wrong += [name for name in values if re.search(rf"\b{name}\b", words)] or ["an option"]
        trial.finish()
        if wrong:
            raise BadDatabaseUrl(
                f"DATABASE_URL gives {wrong[0]} a value that libpq does not take; see its list of options, or remove it"
            )

    @property
    def hosts(self) -> list[str]:
        """The hosts, or directories of Unix sockets, in the order in which libpq tries them."""
        named = self.parameters.get("host") or self.parameters.get("hostaddr") or ""
        return [host for host in named.split(",") if host]

    @classmethod
    def of(cls, engine: Engine) -> DatabaseAddress:
        """Give the address that an engine was made for."""
        return cls.parse(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))

    def for_sqlalchemy(self) -> URL:
        """Give the same address as SQLAlchemy takes it. Holds the password."""
        rest = dict(self.parameters)
        user, password, name = rest.pop("user", None), rest.pop("password", None), rest.pop("dbname")
        host = port = None
        if len(self.hosts) == 1 and not self.hosts[0].startswith("/") and "host" in rest:
            host, given = rest.pop("host"), rest.pop("port", "")
            port = int(given) if given else None
        return URL.create(
            "postgresql+psycopg", username=user, password=password, host=host, port=port, database=name, query=rest
        )

    def for_django(self) -> dict[str, Any]:
        """Give the same address as the part of Django's DATABASES that says where. Holds the password."""
        rest = dict(self.parameters)
        return {
            "NAME": rest.pop("dbname"),
            "USER": rest.pop("user", ""),
            "PASSWORD": rest.pop("password", ""),
            "HOST": rest.pop("host", ""),
            "PORT": rest.pop("port", ""),
            "OPTIONS": rest,
        }

    def __str__(self) -> str:
        ports = self.parameters.get("port", "").split(",")
        ports = ports if len(ports) == len(self.hosts) else ports * len(self.hosts)
        places = ",".join(
            _place(host) + (f":{port}" if port else "") for host, port in zip(self.hosts, ports, strict=True)
        )
        user = quote(self.parameters.get("user", ""), safe="")
        return f"postgresql://{user + '@' if user else ''}{places}/{quote(self.parameters['dbname'], safe='')}"


def _place(host: str) -> str:
    if host.startswith("/"):
        return quote(host, safe="")
    return f"[{host}]" if ":" in host else host
