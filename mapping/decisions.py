"""The decisions that there are, as types: nothing to do, a call to make, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mapping.matching import Match
from mapping.results import Choice, PartyKey, Problem
from schemas.applied import Applied, Billed

DEPENDENCY: Final = "dependency:"
"""How the cause of a record begins that waits for one that failed: the cause of that one follows."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """QBO has it in its newest state."""

    reason: str
    adopt: Applied | None = None
    """What counts as sent from now on, without a call: the object was linked by hand, or turned out to say it already."""
    currency: str = ""
    voided: bool = False
    billed: Billed | None = None
    """What Kompass bills now, when that changed without changing what is sent: a tax that was rounded again."""
    left_out: Mapping[str, str] | None = None
    """What is left out now and why, when that changed without changing what is sent."""
    cause: str = ""
    """Set when it only stays as it is because it is not to be synced now: a changed configuration may end that."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Not to be synced; raises no error."""

    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Cannot be sent yet, for a reason outside the record."""

    cause: str
    reason: str
    on: PartyKey | None = None
    holder: int | None = None
    """The id of the link of ours whose name or number it waits for."""


def not_enabled(org_name: str) -> Wait:
    """Nothing is sent before the Configuration is enabled, nor once it is disabled: not even a call again that has no answer."""
    return Wait("not-enabled", f"the Configuration of {org_name} is not enabled")


@dataclass(frozen=True, slots=True)
class Fail:
    """Cannot be sent as it is; a person must fix something."""

    problems: tuple[Problem, ...]
    holder: int | None = None
    """The id of the link of ours that has the name or number: when that gives way, it is decided again."""
    matches: tuple[Match, ...] = ()
    """What the company had before us and the record may be, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Sent, then taken back in Kompass: QBO is left alone and people are notified."""

    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody else wrote since: the object has to be read before it can be written."""

    entity: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Write:
    """One call that makes QBO agree."""

    operation: Literal["create", "update", "void"]
    entity: str
    object_id: str | None
    body: Mapping[str, object]
    applied: Applied
    """What counts as sent once QBO has answered."""
    name: str | None
    voided: bool = False
    choices: tuple[Choice, ...] = ()
    currency: str = ""
    temporary: str = ""
    """Set when ``name`` is not the one that Kompass wants, but makes way for others: the cause under which it is due again at once."""


Decision = Nothing | Skip | Wait | Fail | Withdraw | Read | Write
