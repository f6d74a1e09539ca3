"""What would be done about a record, in the words and the JSON of the commands. `sync.decide` decides it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mapping.case import Case
from mapping.decisions import Decision, Fail, Nothing, Read, Skip, Wait, Withdraw, Write
from mapping.results import Choice, Problem
from schemas.company import CompanyFacts, Configuration, TaxCodeFact
from schemas.events import Client, Invoice, Kind, Project, Record, VatRate, kind_of, reference_of
from sync.decide import Prediction, predict_alone

Outcome = Literal[
    "create", "update", "void", "read", "nothing", "skip", "wait", "withdraw", "fail", "stale", "unconfigured", "undecodable",
    "unlinked",
]  # fmt: skip
"""What a decision can be, and what keeps a record from ever being decided."""

_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Now:
    outcome: Outcome
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would become of one link."""

    org_id: str
    kind: Kind
    kompass_id: str
    label: str
    """The reference, or a client's name."""
    outcome: Outcome
    cause: str = ""
    reason: str = ""
    entity: str = ""
    object_id: str = ""
    body: object | None = None
    """The exact payload of the call."""
    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()
    assumed: tuple[str, ...] = ()
    """What was taken for granted, in words."""
    now: Now | None = None
    """What a claim decides now, where something was taken for granted."""

    def to_json(self) -> dict[str, object]:
        return {
            "org": self.org_id,
            "kind": self.kind.value,
            "id": self.kompass_id,
            "label": self.label,
            "outcome": self.outcome,
            "cause": self.cause,
            "reason": self.reason,
            "entity": self.entity,
            "object_id": self.object_id,
            "payload": self.body,
            "choices": [
                {"member": one.member, "value": one.value, "reason": one.reason} for one in self.choices
            ],
            "problems": [
                {"cause": one.cause, "message": one.message, "field": one.field, "value": one.value, "remedy": one.remedy}
                for one in self.problems
            ],
            "assumed": list(self.assumed),
            "now": None if self.now is None else asdict(self.now),
        }  # fmt: skip


def forecast_of(predicted: Prediction) -> Forecast:
    """Say what would become of a link, with what was taken for granted."""
    found = _said(predicted, predicted.outcome)
    if predicted.then is None:
        return found
    now = _said(predicted, predicted.decision)
    return replace(found, assumed=predicted.assumed, now=Now(now.outcome, now.cause, now.reason))


def forecast_alone(record: Record, *, org_id: str, deleted: bool) -> Forecast:
    """Say it without any database: with a Configuration of defaults, in which everything is mapped to something."""
    configuration, facts, assumed = assumptions(record, org_id)
    case = Case(
        record=record,
        configuration=configuration,
        facts=facts,
        deleted=deleted,
        billing_client=record.billing_client if isinstance(record, Project) else None,
    )
    found = forecast_of(predict_alone(case))
    return replace(found, assumed=(*assumed, *found.assumed))


def assumptions(record: Record, org_id: str) -> tuple[Configuration, CompanyFacts, tuple[str, ...]]:
    """Give a Configuration and facts under which nothing is refused for want of a mapping, and say so."""
    rates = {
        "" if line.vat_rate is None else line.vat_rate.id: line.vat_rate
        for line in (record.lines if isinstance(record, Invoice) else ())
    }
    codes = {kompass_id: f"(tax code of {rate.name if rate else 'no VAT rate'})" for kompass_id, rate in rates.items()}
    currency = record.currency if isinstance(record, Invoice) else _client_of(record).currency or "GBP"
    configuration = Configuration(
        org_id=org_id,
        org_name=org_id,
        version=0,
        realm_id="(company)",
        enabled=True,
        default_item_id="(default item)",
        tax_codes=codes,
    )
    words = [f"no Configuration was read: the defaults count, locale EU, home currency {currency}"]
    if isinstance(record, Invoice):
        words.append("every line has the Default Item ID, and every VAT rate a tax code of the same rate")
    return configuration, assumed_facts(currency, {codes[key]: rates[key] for key in codes}), tuple(words)


def assumed_facts(
    currency: str, rates: Mapping[str, VatRate | None] | None = None, *, realm_id: str = "(company)"
) -> CompanyFacts:
    """Give the facts of a company that nobody has asked about yet: one home currency, and these tax codes with their rates."""
    return CompanyFacts(
        realm_id=realm_id,
        name="",
        country="",
        home_currency=currency,
        fetched_at=_LONG_AGO,
        tax_codes={
            code: TaxCodeFact(code, code, True, None if rate is None else rate.rate)
            for code, rate in (rates or {}).items()
        },
    )


def _client_of(record: Record) -> Client:
    return record if isinstance(record, Client) else record.client


def _said(predicted: Prediction, decision: Decision) -> Forecast:
    link, record = predicted.link, predicted.case.record
    found = Forecast(link.org_id, kind_of(record), record.id, reference_of(record), outcome="nothing")
    match decision:
        case Write():
            return replace(
                found, outcome=decision.operation, entity=decision.entity, object_id=decision.object_id or "",
                body=decision.body, choices=decision.choices,
            )  # fmt: skip
        case Read(entity, object_id):
            return replace(
                found, outcome="read", entity=entity, object_id=object_id,
                reason="a person changed it in QuickBooks: it is read before anything is written",
            )  # fmt: skip
        case Fail(problems):
            return replace(
                found, outcome="fail", cause=problems[0].cause, reason=problems[0].message, problems=problems
            )
        case Nothing(reason):
            return replace(found, reason=reason)
        case Skip(cause, reason):
            return replace(found, outcome="skip", cause=cause, reason=reason)
        case Withdraw(cause, reason):
            return replace(found, outcome="withdraw", cause=cause, reason=reason)
        case Wait(cause, reason):
            return replace(found, outcome="wait", cause=cause, reason=reason)
