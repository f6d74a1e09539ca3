"""`kompass-qbo`: the one command, whose sub-commands each room registers under ``kompass_qbo.commands`` (pyproject.toml).

What a person can fix ends in one line on standard error and an exit code of `consumers.errors.ExitCode`, with a traceback only when
``--debug`` is given. A mistake of ours goes to the log, with its traceback. Where the log is JSON, so are these lines.
"""

from __future__ import annotations

import contextlib
import difflib
import faulthandler
import logging
import os
import sys
import traceback
from importlib.metadata import EntryPoint, entry_points, version
from typing import Final

import click
import psycopg
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consumers.errors import ConsumersError, EmbeddedPartFailed, ExitCode
from consumers.heap import give_back_what_is_free
from consumers.kafka_errors import is_fatal, words_for
from consumers.logs import configure_logs, in_json, log_crashes
from qbo_client.errors import EnvironmentInvalid, QboClientError
from schemas.errors import RegistryUnavailable, SchemasError
from store.errors import BadDatabaseUrl, BadTokenKeys, DatabaseUnreachable, NotMigrated, StoreError
from sync.settings import BadSetting, Environment, read_log_format

GROUP: Final = "kompass_qbo.commands"
NAME: Final = "kompass-qbo"
_STDERR: Final = 2
_LOG: Final = logging.getLogger(NAME)
_STAND_INS: Final = {"simulator": "kompass-qbo[simulator]", "demo": "kompass-qbo[embedded]"}
"""Rooms that production does not install, and what brings each."""

# Most particular first: the first class that fits decides.
_EXPECTED: Final[tuple[tuple[type[Exception], ExitCode], ...]] = (
    (BadSetting, ExitCode.BAD_SETTING),
    (BadDatabaseUrl, ExitCode.BAD_SETTING),
    (BadTokenKeys, ExitCode.BAD_SETTING),
    (EnvironmentInvalid, ExitCode.BAD_SETTING),
    (DatabaseUnreachable, ExitCode.UNREACHABLE),
    (NotMigrated, ExitCode.NOT_MIGRATED),
    (StoreError, ExitCode.FAILED),
    (RegistryUnavailable, ExitCode.UNREACHABLE),
    (SchemasError, ExitCode.FAILED),
    (QboClientError, ExitCode.FAILED),
)
_BROKER_AWAY: Final = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE, KafkaError._SSL}
)


class Commands(click.Group):
    """Finds the commands of every room and loads one only when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _entry_points().get(cmd_name)
        if entry is None:
            return None
        room = entry.value.partition(".")[0]
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            if room not in _STAND_INS:
                raise
            return _not_installed(cmd_name, str(error.name), _STAND_INS[room])
        assert isinstance(command, click.Command), f"{entry.value} is not a command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _entry_points():
            near = difflib.get_close_matches(args[0], _entry_points(), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No command is called {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _not_installed(name: str, missing: str, wanted: str) -> click.Command:
    """Give a command that says what to install; it is listed like any other."""

    def refuse() -> None:
        raise EmbeddedPartFailed(f"{missing} is not installed; run: pip install {wanted!r}")

    return click.Command(
        name,
        callback=refuse,
        short_help=f"Not installed here; comes with {wanted}.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@click.group(
    name=NAME,
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Settings come from the environment (README.md lists them). Exit codes: 1 the check found a problem, 2 wrong "
    "command line, 3 wrong setting, 4 something does not answer, 5 the database is not migrated.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and log in more detail.")
@click.version_option(version(NAME), prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def commands(ctx: click.Context, debug: bool) -> None:
    """Push clients, projects and invoices from Kompass to QuickBooks Online, exactly once in effect."""
    ctx.obj = debug
    configure_logs(read_log_format(Environment(os.environ)), debug=debug)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code; a crash in a C library writes every Python thread's stack."""
    give_back_what_is_free()
    faulthandler.enable(file=_STDERR)
    log_crashes()
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: list[str]) -> int:
    """Run the command line; gives the exit code."""
    debug = "--debug" in args
    try:
        _check_text(args)
        outcome = commands.main(args=args, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        if in_json():
            return _say(error.format_message(), ExitCode(error.exit_code))
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("stopped", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has seen enough; Python must not complain once more when it closes the stream.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except SystemExit as asked:
        return asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except Exception as error:  # noqa: BLE001 - the last one to see it: said in one line, kept in full
        return say_error(error, debug=debug)
    return outcome if isinstance(outcome, int) else ExitCode.OK


def _check_text(args: list[str]) -> None:
    """See that every argument is text. The shell may pass any bytes; neither the database nor a log takes them."""
    for number, argument in enumerate(args, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"Argument {number} is not UTF-8: {argument!r}") from None


def say_error(error: Exception, *, debug: bool = False) -> ExitCode:
    """Say an error in one line; one that is a mistake of ours goes to the log with its traceback. Gives the exit code."""
    known = known_error(error)
    if known is None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        _LOG.critical("unexpected %s in %s: %s", type(error).__name__, where, _first_line(error), exc_info=error)
        return ExitCode.FAILED
    if debug:
        _LOG.debug("the traceback", exc_info=error)
    return _say(*known)


def known_error(error: Exception) -> tuple[str, ExitCode] | None:
    """One line and the exit code for an error that a person can fix; None for one that is a mistake of ours."""
    if isinstance(error, ConsumersError):
        return str(error), error.exit_code
    for kind, code in _EXPECTED:
        if isinstance(error, kind):
            return str(error), code
    if isinstance(error, OperationalError | PoolTimeout | psycopg.OperationalError):
        return f"the database does not answer ({_first_line(error)}); check DATABASE_URL", ExitCode.UNREACHABLE
    if isinstance(error, ProgrammingError) and _sql_state(error) in ("42P01", "42703"):
        return (
            f"the database lacks something of ours ({_first_line(error)}); run: {NAME} migrate",
            ExitCode.NOT_MIGRATED,
        )
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        cause: KafkaError = error.args[0]
        if is_fatal(cause):
            return words_for(cause, "Kafka"), ExitCode.UNREACHABLE
        if cause.code() in _BROKER_AWAY:
            return f"no Kafka broker answers ({cause.str()}); check KAFKA_BOOTSTRAP_SERVERS", ExitCode.UNREACHABLE
    return None


def _sql_state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _say(message: str, code: ExitCode) -> ExitCode:
    line = " ".join(message.split())
    if in_json():
        _LOG.error("%s", line, extra={"exit_code": int(code)})
    else:
        with contextlib.suppress(OSError):
            click.echo(f"{NAME}: {line}", err=True)
    return code
