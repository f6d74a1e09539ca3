"""``kompass-qbo migrate`` and ``kompass-qbo admin``."""

from __future__ import annotations

import logging
import os
from typing import Any

import click
import django
from django.core.management import call_command
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from admin.serving import MetricsAddress, counting_together, serve, take_address
from store.address import DatabaseAddress
from store.engine import check_database, open_engine
from store.errors import DatabaseUnreachable, NotMigrated
from sync.settings import BadSetting, SiteSettings, site_settings_from

log = logging.getLogger(__name__)


class _Refused(click.ClickException):
    """Ends the command with one line."""


class _BadSetting(_Refused):
    exit_code = 3


class _Unreachable(_Refused):
    exit_code = 4


class _NotMigrated(_Refused):
    exit_code = 5


def _set_up() -> SiteSettings:
    """Load Django, or say in one line what keeps it from loading."""
    try:
        site = site_settings_from(os.environ)
    except BadSetting as error:
        raise _BadSetting(str(error)) from None
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin.settings")
    django.setup()
    return site


@click.command("migrate")
def migrate() -> None:
    """Bring the database up to this version; safe to run again."""
    engine = open_engine(_set_up().database_url, pool_size=1)
    address = DatabaseAddress.of(engine)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1] if error.orig else str(error)
        raise _Unreachable(f"the database at {address} does not answer ({reason}); check DATABASE_URL") from None
    finally:
        engine.dispose()
    call_command("migrate", interactive=False, verbosity=1)


class _Bind(click.ParamType[str]):
    """``host:port``, ``[address]:port`` or ``:port``. gunicorn would take a word for a host and look for it."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, colon, port = str(value).rpartition(":")
        if (
            not colon
            or not port.isascii()
            or not port.isdigit()
            or int(port) > 65535
            or (":" in host and host[0] != "[")
        ):
            self.fail(f"{value!r} is no address to listen on; give host:port, such as 127.0.0.1:8000", param, ctx)
        return str(value)


@click.command("admin")
@click.option(
    "--bind", default="127.0.0.1:8000", show_default=True, type=_Bind(), help="Address and port to listen on."
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1), help="Threads in each process.")
def admin(bind: str, workers: int, threads: int) -> None:
    """Serve the Django Admin site."""
    with counting_together():
        _admin(bind=bind, workers=workers, threads=threads)


def _admin(*, bind: str, workers: int, threads: int) -> None:
    site = _set_up()
    engine = open_engine(site.database_url, pool_size=1)
    try:
        check_database(engine)
    except DatabaseUnreachable as error:
        raise _Unreachable(str(error)) from None
    except NotMigrated as error:
        raise _NotMigrated(str(error)) from None
    finally:
        engine.dispose()
    metrics = _metrics_address(site)
    log.info("%s/admin/ (listening on %s)", site.public_url, bind)
    if metrics is not None:
        log.info("http://%s/metrics, /livez, /readyz", metrics.bind)
    serve(bind=bind, workers=workers, threads=threads, metrics=metrics)


def _metrics_address(site: SiteSettings) -> MetricsAddress | None:
    if site.metrics is None:
        return None
    try:
        return take_address(site.metrics.host, site.metrics.port)
    except OSError as error:
        raise _BadSetting(
            f"METRICS_PORT: cannot listen on {site.metrics.host}:{site.metrics.port} "
            f"({error.strerror}); give a free port, 0 for any, or off"
        ) from None
