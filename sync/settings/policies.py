"""The numbers: how long things take and how many there are. Each can be set as ``KOMPASS_QBO_<FIELD IN CAPITALS>``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, TypeVar

from qbo_client.calls import MAX_BATCH_ITEMS
from sync.settings.environment import BadSetting, Environment

PREFIX: Final = "KOMPASS_QBO_"
_MOST: Final = 1e9

Number = TypeVar("Number", int, float)
Policy = TypeVar("Policy")


def _number(default: Number, about: str, *, most: float = _MOST) -> Number:
    made: Number = field(default=default, metadata={"about": about, "most": most})
    return made


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """One call to Intuit, from the claim to the answer."""

    lease_seconds: float = _number(15.0, "A claim without a heartbeat for this long is free for another process.")
    heartbeat_seconds: float = _number(
        5.0, "How often a process renews its claims. A third of the lease survives two lost heartbeats."
    )
    call_deadline_seconds: float = _number(60.0, "The whole of one call to Intuit, from connecting to the last byte.")
    server_timeout_seconds: float = _number(
        125.0, "Intuit ends a request after 120 s: a call sent longer ago than this has ended there too."
    )
    resend_window_seconds: float = _number(
        600.0, "How long a request id is trusted to be remembered. Intuit does not say."
    )


@dataclass(frozen=True, slots=True)
class CompanyPolicy:
    """A company's tokens and facts, and the metered calls of all companies."""

    refresh_lease_seconds: float = _number(90.0, "For this long one process alone may refresh a company's tokens.")
    facts_seconds: float = _number(
        30 * 86_400.0,
        "Age at which a company's facts (currency, tax codes, preferences) are fetched again: four metered reads. They are "
        "also fetched when a company is linked, on request, and after an answer or a refusal that contradicts them.",
    )
    budget_calls: int = _number(
        500_000, "Metered (CorePlus) calls that Intuit allows the app in a month: 500,000 at its Builder tier."
    )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What happens after a call without a definite answer."""

    backoff_first_seconds: float = _number(2.0, "The first wait. It doubles each time, with jitter.")
    backoff_longest_seconds: float = _number(300.0, "The longest wait.")
    reject_after_attempts: int = _number(
        8, "A record whose calls keep failing, while others of its company succeed, fails after this many attempts."
    )


@dataclass(frozen=True, slots=True)
class ProcessPolicy:
    """The threads of a process."""

    workers: int = _number(16, "Calls to Intuit in flight at once, in one process.")
    batch_items: int = _number(
        MAX_BATCH_ITEMS,
        "A company with a backlog gets its calls in batches of this many. 1 turns batches off.",
        most=MAX_BATCH_ITEMS,
    )
    backlog_links: int = _number(
        10, "A company with more links due than this has a backlog: a second of its quota is not enough for them."
    )
    poll_seconds: float = _number(5.0, "How often due links are looked for when no notification came.")
    sweep_seconds: float = _number(
        5.0,
        "How often changed Configurations are looked for where the database cannot say so at once, as behind a pooler.",
    )
    drain_seconds: float = _number(20.0, "How long a stopping process waits for its calls in flight.")
    outbox_seconds: float = _number(1.0, "How often dead letters to be produced are looked for.")
    stuck_seconds: float = _number(
        60.0, "A loop that has not turned for this long makes /livez fail, and every stack is written to the log."
    )
    unreadable_run: int = _number(
        100,
        "A consumer stops when this many records in a row cannot be read, before it empties a topic into the dead letters.",
    )
    start_wait_seconds: float = _number(
        120.0,
        "How long a process that starts waits for a database or a broker that does not answer, alive and not ready.",
    )
    gauges_seconds: float = _number(
        15.0, "How often the database is counted for /metrics. Less often where counting takes long."
    )


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What `kompass-qbo tidy` deletes."""

    retention_days: int = _number(
        400,
        "Decisions in the history, closed failures and unused records are kept for this long after they are done.",
        most=36_500,
    )
    trail_days: int = _number(
        2557,
        "The trail is kept for this long: who changed what in Kompass, and each call. Seven years by default.",
        most=36_500,
    )


@dataclass(frozen=True, slots=True)
class DoorPolicy:
    """Logins and sessions of the admin site."""

    session_hours: float = _number(12.0, "Hours after which a session ends, however busy it is.")
    session_idle_minutes: float = _number(60.0, "Minutes without a request after which a session ends.")
    login_failures: int = _number(
        10, "Failed logins after which an account is locked, and an address too, each counted apart."
    )
    login_lockout_minutes: float = _number(15.0, "Minutes for which it stays locked.")


@dataclass(frozen=True, slots=True)
class Policies:
    """All of them, read at once, so that a misspelt name is found whichever process meets it."""

    attempts: AttemptPolicy = field(default_factory=AttemptPolicy)
    companies: CompanyPolicy = field(default_factory=CompanyPolicy)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    process: ProcessPolicy = field(default_factory=ProcessPolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    door: DoorPolicy = field(default_factory=DoorPolicy)


POLICIES: Final[Mapping[str, type[Any]]] = {
    "attempts": AttemptPolicy,
    "companies": CompanyPolicy,
    "retries": RetryPolicy,
    "process": ProcessPolicy,
    "retention": RetentionPolicy,
    "door": DoorPolicy,
}


def numbers(policy: type[Any]) -> Iterator[tuple[str, Field[Any]]]:
    """Give a policy's variables, each with its field."""
    return ((PREFIX + item.name.upper(), item) for item in fields(policy))


def policies_from(environment: Environment) -> Policies:
    """Read every policy. An unknown name is an error, since a misspelt limit is no limit.

    Raises
    ------
    BadSetting
    """
    known = {name for policy in POLICIES.values() for name, _ in numbers(policy)}
    for name in environment.names(PREFIX):
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)[0]
            raise BadSetting(name, "is not a setting", f"the nearest one is {near}")
    return Policies(**{name: _policy_from(environment, policy) for name, policy in POLICIES.items()})


def _policy_from(environment: Environment, policy: type[Policy]) -> Policy:
    set_here = ((item, environment.given(name), name) for name, item in numbers(policy))
    return policy(**{item.name: _number_from(name, value, item) for item, value, name in set_here if value})


def _number_from(name: str, value: str, item: Field[Any]) -> float | int:
    whole, most = isinstance(item.default, int), item.metadata["most"]
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = -1
    if 0 < number <= most:
        return number
    kind = "a whole number" if whole else "a number of seconds"
    raise BadSetting(name, f"is {value!r}", f"give {kind} above 0" + (f" and at most {most}" if most != _MOST else ""))
