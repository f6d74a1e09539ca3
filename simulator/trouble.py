"""Trouble on demand: rules that make chosen calls slow, refused, cut off or unanswered."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast, get_args

from simulator.company_settings import COMPANY_SETTINGS
from simulator.transient import TRANSIENT_KINDS, Call, OfAnItem, OfARequest, can_strike

Wire = Literal[
    "latency",
    "http",
    "fault",
    "throttle",
    "reset_before",
    "reset_after",
    "no_answer",
    "slow",
    "token_death",
    "outage",
    "setting",
]
Kind = Literal[Wire, OfAnItem, OfARequest]
KINDS: tuple[str, ...] = get_args(Kind)
OAUTH_KINDS = ("latency", "http", "throttle", "reset_before", "reset_after", "no_answer", "slow", "outage")
"""What can happen to a call that is not for the Accounting API; other rules pass it by, uncounted."""
ALL = "all"
NONE = "none"
DISTRIBUTIONS = ("constant", "uniform", "exponential", "lognormal")


class RuleError(ValueError):
    """A rule that makes no sense, in words."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """One kind of trouble for the calls that match every condition given.

    `latency`: wait before the work (`seconds`, or `distribution` with `low`/`high`, `mean`, or `median`/`sigma`).
    `http`: answer `status` with `body` (HTML for 5xx by default), nothing is committed. `fault`: a service fault with
    `code`. `throttle`: 429. `reset_before`, `reset_after`: cut the connection before or after the commit. `no_answer`:
    commit (unless `commit` is false) and never answer. `slow`: commit, and send the answer over `seconds`.
    `token_death`: the access token dies, and the call meets 401. `outage`: everything, tokens too, is 503.
    `setting`: before the work, the company's `setting` is turned `on`, off or over, as if a bookkeeper had done it.
    The transient ones (`simulator.transient`): `name_lock` and `try_again`: 6000, nothing is saved. `saved_anyway`: 6000,
    and it is saved. `requestid_used`: 6000 for a request id that was answered before. `bad_email`: 4002 for a query.
    `period_closed`: 5010. `unsupported`: 400 with code 500. `not_found_page`: 404 with HTML. `server_error`: HTTP 500 with
    `code` (3100 or 120). `country_code`: Country comes back as three letters. `lower_case`: a fault comes in the gateway's lower case.
    """

    kind: Kind
    id: str = ""
    realm: str | None = None
    entity: str | None = None
    operation: str | None = None
    path: str | None = None
    requestid: str | None = None
    holds: str | None = None
    """A text in the body of the request: what a batch or a document is about."""
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    distribution: str = "constant"
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    median: float = 0.0
    sigma: float = 0.0
    status: int = 503
    body: str | None = None
    code: str = "10000"
    message: str | None = None
    detail: str = "System Failure Error: something went wrong"
    commit: bool = True
    setting: str | None = None
    on: bool | None = False
    """None turns the setting over: on if it is off, off if it is on."""
    hits: int = 0
    random: random.Random = field(default_factory=random.Random, repr=False)

    def applies(self, call: Call) -> bool:
        """Whether the rule strikes this call; counts it when it does."""
        if self.count is not None and self.hits >= self.count:
            return False
        if not can_strike(self.kind, call):
            return False
        operation = "batch" if call.batched and self.operation == "batch" else call.operation
        wanted = (self.realm, self.entity, self.operation, self.requestid)
        for condition, found in zip(wanted, (call.realm, call.entity, operation, call.requestid), strict=True):
            if condition is not None and condition.lower() != found.lower():
                return False
        if self.path is not None and self.path not in call.path:
            return False
        if self.holds is not None and self.holds.encode() not in call.body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def delay(self) -> float:
        """Seconds to wait, drawn from the rule's distribution."""
        match self.distribution:
            case "uniform":
                return self.random.uniform(self.low, self.high)
            case "exponential":
                return self.random.expovariate(1 / self.mean) if self.mean else 0.0
            case "lognormal":
                return self.median * self.random.lognormvariate(0.0, self.sigma)
            case _:
                return self.seconds

    def as_wire(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "random"}


class Troubles:
    """The rules in force, in the order they were given."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._background: list[Rule] = []
        self._made = 0

    def add(self, wanted: Mapping[str, Any]) -> Rule:
        """:raises RuleError: for a kind, condition or value that is not one."""
        known = {one.name for one in fields(Rule)} - {"hits", "random", "id"}
        unknown = sorted(set(wanted) - known)
        if unknown:
            raise RuleError(f"a rule has no {', '.join(unknown)}; it can have {', '.join(sorted(known))}")
        if wanted.get("kind") not in KINDS:
            raise RuleError(f"kind is {wanted.get('kind')!r}; it can be one of {', '.join(KINDS)}")
        if wanted.get("distribution", "constant") not in DISTRIBUTIONS:
            raise RuleError(f"distribution is {wanted['distribution']!r}; it can be one of {', '.join(DISTRIBUTIONS)}")
        for name in (
            "seconds",
            "low",
            "high",
            "mean",
            "median",
            "sigma",
            "probability",
            "count",
            "skip",
            "status",
            "seed",
        ):
            value = wanted.get(name, 0)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | None)
                or (value is not None and value < 0)
            ):
                raise RuleError(f"{name} is {value!r}; it must be a number, not negative")
        if not isinstance(wanted.get("commit", True), bool):
            raise RuleError(f"commit is {wanted['commit']!r}; it must be true or false")
        if not isinstance(wanted.get("on", False), bool | None):
            raise RuleError(f"on is {wanted['on']!r}; it must be true, false, or null to turn the setting over")
        if wanted["kind"] == "setting" and wanted.get("setting") not in COMPANY_SETTINGS:
            raise RuleError(f"setting is {wanted.get('setting')!r}; it can be one of {', '.join(COMPANY_SETTINGS)}")
        for name in ("realm", "entity", "operation", "path", "requestid", "holds", "code", "detail", "message", "body"):
            if not isinstance(wanted.get(name), str | None):
                raise RuleError(f"{name} is {wanted[name]!r}; it must be text")
        self._made += 1
        rule = Rule(**{**wanted, "id": f"rule-{self._made}"})
        rule.random = random.Random(rule.seed)  # noqa: S311 - trouble has to be repeatable, not secret
        self.rules.append(rule)
        return rule

    @property
    def quiet(self) -> bool:
        """Whether there is no rule, and nothing in the background."""
        return not self.rules and not self._background

    def striking(self, call: Call, *, only: tuple[str, ...] = KINDS) -> list[Rule]:
        """The rules of those kinds that strike this call, counted."""
        if self.quiet:
            return []
        struck = [rule for rule in self.rules if rule.kind in only and rule.applies(call)]
        for rule in self._background:
            if rule.kind in only and rule.applies(call):
                return [*struck, rule]
        return struck

    def set_background(self, kinds: str, settings: str, *, per_thousand: int, seed: int) -> None:
        """Strike so many of a thousand calls with each of these transient kinds, and turn over each of these company settings.

        Both are joined by plus signs, `all` or `none`. At most one strikes a call. The same seed strikes the same calls, when they
        come in the same order.

        :raises RuleError: for a kind that is not a transient one, or a setting that a company does not have.
        """
        share = per_thousand / 1_000
        self._background = [
            *(Rule(kind=kind, id=f"background-{kind}", probability=share) for kind in background_kinds(kinds)),
            *(
                Rule(kind="setting", setting=name, on=None, id=f"background-{name}", probability=share)
                for name in background_settings(settings)
            ),
        ]
        for place, rule in enumerate(self._background):
            rule.random = random.Random(f"{seed}-{place}")  # noqa: S311 - trouble has to be repeatable, not secret

    def remove(self, identifier: str | None = None) -> int:
        """Take one rule away, or all; returns how many went."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if identifier is not None and rule.id != identifier]
        return before - len(self.rules)


def background_kinds(text: str) -> tuple[Kind, ...]:
    """The transient kinds that a text names.

    :raises RuleError: for a kind that is not a transient one.
    """
    return cast("tuple[Kind, ...]", _named(text, TRANSIENT_KINDS, "a transient fault"))


def background_settings(text: str) -> tuple[str, ...]:
    """The company settings that a text names.

    :raises RuleError: for a setting that a company does not have.
    """
    return _named(text, COMPANY_SETTINGS, "a company setting")


def _named(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    if text in ("", NONE):
        return ()
    names = known if text == ALL else tuple(text.split("+"))
    for name in names:
        if name not in known:
            raise RuleError(f"{name!r} is not {what}; there are {ALL}, {NONE}, {', '.join(known)}")
    return names
