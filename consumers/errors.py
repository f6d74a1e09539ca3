"""What ends a command in one line, and with which exit code; the README lists the codes, scripts may rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    """A check found a problem, nothing was found, or something unexpected happened."""
    USAGE = 2
    """The command line itself."""
    BAD_SETTING = 3
    """A setting is missing or cannot be used."""
    UNREACHABLE = 4
    """The database, the broker or another part does not answer."""
    NOT_MIGRATED = 5
    """The database lacks our tables: `kompass-qbo migrate`."""
    INTERRUPTED = 130


class ConsumersError(Exception):
    """Ends the process; the message is one line for a person, with the remedy."""

    exit_code = ExitCode.FAILED


class BrokerUnreachable(ConsumersError):
    """No Kafka broker answers."""

    exit_code = ExitCode.UNREACHABLE


class BrokerRefuses(BrokerUnreachable):
    """A broker answers and does not let us in: to wait is of no use."""


class EmbeddedPartFailed(ConsumersError):
    """Something that the demo runs instead of your own did not start."""

    exit_code = ExitCode.UNREACHABLE
