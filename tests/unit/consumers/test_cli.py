from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.core import Command
from confluent_kafka import KafkaError, KafkaException

from consumers import cli
from consumers.errors import BrokerUnreachable, ExitCode
from qbo_client.errors import EnvironmentInvalid
from store.errors import BadTokenKeys, DatabaseUnreachable, NotMigrated
from sync.settings import BadSetting


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command `fail` that raises what is put in here."""
    raised: list[BaseException] = []

    class Entry:
        value = "tests"

        def load(self) -> Command:
            @click.command("fail")
            def fail() -> None:
                raise raised[0]

            return fail

    monkeypatch.setattr(cli, "_entry_points", lambda: {"fail": Entry()})
    return raised


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadSetting("TOKEN_KEYS", "is not set", "set it"), ExitCode.BAD_SETTING),
        (BadTokenKeys("TOKEN_KEYS is empty"), ExitCode.BAD_SETTING),
        (EnvironmentInvalid("INTUIT_ENVIRONMENT is 'x'"), ExitCode.BAD_SETTING),
        (DatabaseUnreachable("the database does not answer"), ExitCode.UNREACHABLE),
        (NotMigrated("the database lacks qbo_org"), ExitCode.NOT_MIGRATED),
        (BrokerUnreachable("no broker"), ExitCode.UNREACHABLE),
        (KafkaException(KafkaError(KafkaError._TRANSPORT)), ExitCode.UNREACHABLE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (click.UsageError("no such thing"), ExitCode.USAGE),
        (RuntimeError("a mistake"), ExitCode.FAILED),
    ],
)
def test_an_error_is_one_line_and_a_code(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: BaseException, code: ExitCode
) -> None:
    failing.append(error)

    assert cli.run(["fail"]) == code

    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert shown.strip()


def test_an_unexpected_error_says_where_its_traceback_is(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing.append(RuntimeError("a mistake"))

    cli.run(["fail"])

    (line,) = capsys.readouterr().err.splitlines()
    (log,) = tmp_path.iterdir()
    assert str(log) in line
    assert "RuntimeError: a mistake" in log.read_text("utf-8")


def test_debug_shows_the_traceback(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(BadSetting("TOKEN_KEYS", "is not set", "set it"))

    assert cli.run(["--debug", "fail"]) == ExitCode.BAD_SETTING

    assert "Traceback" in capsys.readouterr().err


def test_a_misspelt_command_is_met_with_the_nearest(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["fial"]) == ExitCode.USAGE

    assert "Did you mean 'fail'?" in capsys.readouterr().err


def test_a_bad_log_format_is_a_bad_setting(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")

    assert cli.run(["fail"]) == ExitCode.BAD_SETTING

    assert capsys.readouterr().err == "kompass-qbo: LOG_FORMAT is 'xml'; give text or json\n"


def test_help_and_version(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    assert cli.run(["--version"]) == 0

    shown = capsys.readouterr().out
    assert "fail" in shown
    assert "kompass-qbo 0." in shown


def test_every_registered_command_loads() -> None:
    assert cli._entry_points(), "is the package installed?"
    for name, entry in cli._entry_points().items():
        command = entry.load()
        assert isinstance(command, click.Command), name
        assert command.help, f"{name} has no help"
