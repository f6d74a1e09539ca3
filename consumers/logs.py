"""Logs to standard error, as text for people or as JSON for machines, one line each; no token or secret passes.

Ids go in as ``extra``: ``log.info("pushed", extra={"realm": realm, "intuit_tid": tid})``. In text they follow the sentence as
``name=value``, in JSON they are members.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
REDACTED: Final = "[redacted]"
LIBRDKAFKA: Final = logging.getLogger("librdkafka")
_CRASHES: Final = logging.getLogger("kompass-qbo")

# What a member that is never shown is called; compared with the underscores and hyphens taken out.
_SECRET_NAMES: Final = re.compile(
    r"(access|refresh|id)?token(keys?)?|authori[sz]ation|(client)?secret|password|passwd|apikey|authcode|databaseurl|smtpurl"
)
_SECRET_TEXT: Final = (
    # Authorization headers
    re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
    # a=b, a: b and "a": "b" where a is a secret's name
    re.compile(
        r"(?i)(\b(?:access_token|refresh_token|id_token|client_secret|token_keys?|password)\b[\"']?\s*[=:]\s*[\"']?)"
        r"[^\s\"'&,;}]+"
    ),
    # the authorisation code of a callback
    re.compile(r"([?&]code=)[^\s&\"']+"),
    # scheme://user:password@host
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)"),
    # Fernet: a stored token, or what was one
    re.compile(r"\bgAAAAA[A-Za-z0-9_=-]{20,}"),
)


def redact(text: str) -> str:
    """Give the text with every token, secret and password in it replaced."""
    bearer, named, code, url, fernet = _SECRET_TEXT
    text = bearer.sub(rf"\1 {REDACTED}", text)
    text = named.sub(rf"\g<1>{REDACTED}", text)
    text = code.sub(rf"\g<1>{REDACTED}", text)
    text = url.sub(rf"\g<1>{REDACTED}", text)
    return fernet.sub(REDACTED, text)


def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.fullmatch(name.lower().replace("_", "").replace("-", "")) is not None


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The ids and numbers given as ``extra``, without those whose name says that they are secret."""
    return {
        name: REDACTED if _is_secret(name) else value
        for name, value in vars(record).items()
        if name not in _STANDARD and not name.startswith("_") and value is not None
    }


class TextFormatter(logging.Formatter):
    """``20:15:03.123 INFO  consumers.push  pushed realm=9341 ms=85``"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        words = [f"{moment:%H:%M:%S}.{int(record.msecs):03d}", f"{record.levelname:<7}", record.name]
        words.append(redact(record.getMessage()))
        words += [f"{name}={_shown(value)}" for name, value in fields_of(record).items()]
        return _with_traceback(self, record, " ".join(words))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, the ids, ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in fields_of(record).items():
            line.setdefault(name, redact(value) if isinstance(value, str) else value)
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=lambda value: redact(str(value)), option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logs(log_format: str, *, debug: bool = False, stream: TextIO | None = None) -> None:
    """Send every logger's lines to standard error; replaces what was configured before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    # What they log is logged by us already, call by call, and theirs may hold bodies and headers.
    for chatty in (
        "urllib3",
        "requests_oauthlib",
        "oauthlib",
        "aiohttp.access",
        "mail.log",
        "asyncio",
        "httpx2",
        "httpx",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def in_json() -> bool:
    """Say whether the log is JSON, so that no plain line may be written beside it."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def log_crashes() -> None:
    """Have an exception that nobody handles go to the log, from whichever thread it comes."""

    def crashed(thread: threading.ExceptHookArgs) -> None:
        name = thread.thread.name if thread.thread is not None else "unknown"
        _CRASHES.critical(
            "thread %s ended by an unexpected %s",
            name,
            thread.exc_type.__name__,
            exc_info=(thread.exc_type, thread.exc_value or thread.exc_type(), thread.exc_traceback),
        )

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        error = what.exc_value
        _CRASHES.error("%s: %r", what.err_msg or "exception ignored", what.object, exc_info=error)

    threading.excepthook = crashed
    sys.unraisablehook = unraisable


def _shown(value: object) -> str:
    text = redact(str(value))
    return repr(text) if not text or any(character.isspace() for character in text) else text


def _with_traceback(formatter: logging.Formatter, record: logging.LogRecord, line: str) -> str:
    # One record, one line: a newline in a message must not look like a record of its own.
    line = line.replace("\r", "\\r").replace("\n", "\\n")
    if record.exc_info:
        line += "\n" + redact(formatter.formatException(record.exc_info))
    return line
