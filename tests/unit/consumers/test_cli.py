from __future__ import annotations

import json
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
        (KafkaException(KafkaError(KafkaError._FATAL, "fenced")), ExitCode.UNREACHABLE),
        (click.UsageError("no such thing"), ExitCode.USAGE),
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


@pytest.mark.parametrize(
    "arguments",
    [
        "dead-letters show 99999999999999999999",
        "dead-letters show 0",
        "dead-letters replay --failure 9223372036854775808",
        "dead-letters replay --rate 1e400",
        "dead-letters replay --rate nan",
        "dead-letters list --since 999999d",
        "dead-letters list --id a\udcff",
        "dead-letters accept kompass.clients 0 --from 0 --to 9223372036854775808 --reason x",
        "tidy --days 99999999999",
        "admin --bind foo",
        "admin --bind 127.0.0.1:99999",
        "admin --bind :::80",
    ],
)
def test_an_argument_out_of_range_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    assert cli.run(arguments.split()) == ExitCode.USAGE

    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert "unexpected" not in shown


def test_a_mistake_of_ours_goes_to_the_log_with_its_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing.append(RuntimeError("a mistake"))

    assert cli.run(["fail"]) == ExitCode.FAILED

    said = capsys.readouterr().err
    assert "CRITICAL kompass-qbo unexpected RuntimeError in test_cli.py:" in said
    assert said.endswith("RuntimeError: a mistake\n")
    assert list(tmp_path.iterdir()) == [], "nothing is left where nobody looks"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a mistake"), ExitCode.FAILED),
        (DatabaseUnreachable("the database\ndoes not answer"), ExitCode.UNREACHABLE),
        (click.UsageError("no such thing"), ExitCode.USAGE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_no_plain_line_stands_among_json(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: ExitCode,
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    failing.append(error)

    assert cli.run(["fail"]) == code

    # Click ends the line in which a person's ^C stands.
    (line,) = filter(None, capsys.readouterr().err.splitlines())
    said = json.loads(line)
    assert said["logger"] == "kompass-qbo"
    if isinstance(error, RuntimeError):
        assert said["traceback"].endswith("RuntimeError: a mistake")
    else:
        assert said["exit_code"] == code


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
