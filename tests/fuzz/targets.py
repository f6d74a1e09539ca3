"""What `make fuzz` feeds: the decoder, the fault parser and the template renderer, each with all that hangs on it.

A target takes any bytes and fails only when a promise is broken; what it is promised to refuse, it takes as refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Final

import orjson

from mapping.template_functions import FILTERS, METHODS, TESTS
from mapping.templates import MAX_OUTPUT, TemplateProblem, render
from qbo_client.calls import Call, batch, create, query, read
from qbo_client.faults import colliding_document, colliding_id
from qbo_client.outcomes import Done, Outcome, Refused, batch_outcomes, of_faults, of_success
from qbo_client.transport import decode, report_of
from schemas.codec import Codec, one_by_one
from schemas.errors import UndecodableEvent, UnknownSchema
from schemas.events import Kind, Metadata
from schemas.jsonlines import record_from_json, record_text, record_to_json
from schemas.shipped import current, shipped
from store.sql import dumps, loads
from sync.decide import link_to_be
from sync.refusals import problem_for
from tests.builders import client, event, invoice, line, project

LONGEST_MESSAGE: Final = 2_000
"""Characters: a message is mailed and shown, and quotes at most an excerpt of what it is about."""


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises when a promise is broken. `corpus` is where inputs come from, `words` what they are made of.

    `guided`: worth being led by coverage. A template that is valid is compiled to Python, which takes milliseconds, and a
    fuzzer that is led finds little else: a million of them would take hours.
    """

    run: Callable[[bytes], None]
    corpus: Sequence[bytes]
    words: Sequence[bytes]
    guided: bool = True


def _report(*words: str) -> None:
    for each in words:
        assert 0 < len(each) < LONGEST_MESSAGE, each[:300]


# --- The decoder: the first byte says of which topic

KINDS: Final = tuple(Kind)


class _Registry:
    """A registry that holds every schema there ever was, under the ids 1, 2, …"""

    def __init__(self) -> None:
        self._schemas = dict(enumerate((one.schema for one in shipped().values()), start=1))

    def schema(self, schema_id: int) -> object:
        if schema_id not in self._schemas:
            raise UnknownSchema(f"{schema_id} is not registered")
        return self._schemas[schema_id]

    def schema_id(self, kind: Kind) -> int:
        return next(number for number, one in self._schemas.items() if one is current()[kind].schema)


CODEC: Final = Codec(_Registry())


def run_decoder(data: bytes) -> None:
    kind = KINDS[data[0] % len(KINDS)] if data else Kind.CLIENT
    try:
        found = CODEC.decode(kind, data[1:])
    except UndecodableEvent as error:
        _report(error.cause, str(error))
        return
    assert CODEC.decode(kind, CODEC.encode(found)) == found
    if data[1:3] == b"\xc3\x01":
        assert one_by_one(kind, CODEC._shipped[data[3:11]], data[1:], 10) == found
    # What was decoded can be kept, and read again.
    text = record_text(found.object)
    assert text == orjson.dumps(record_to_json(found.object))
    assert record_from_json(kind, orjson.loads(text)) == found.object


def _decoder_corpus() -> Iterator[bytes]:
    rich = client(tags=("vip", "north"), extra_data={"Framework": "NH-2"}, inactive=dt.date(2026, 3, 1), notes="n" * 40)
    of = project(of=rich)
    records = (client(), rich, of, invoice(), invoice(of=of, lines=tuple(line(position=n) for n in range(1, 4))))
    for record in records:
        made = event(record)
        for codec in (Codec(), CODEC):
            for mark, _ in enumerate(KINDS):
                yield bytes([mark]) + codec.encode(replace(made, metadata=Metadata(made.metadata.org_id, 1)))
    yield from (b"\0", b"\0\0", b"\0\xc3\x01", b"\0\0\0\0\0\1")


# --- The fault parser: the first byte says to which call, the second with which status

_CALLS: Final[Sequence[Call]] = (
    create("Invoice", {"DocNumber": "1"}, request_id="r"),
    read("Customer", "1"),
    query("select * from Customer"),
    batch({"1": create("Customer", {"DisplayName": "x"}, request_id=None)}, request_id="b"),
)
_STATUSES: Final = (200, 400, 401, 403, 404, 408, 413, 429, 500, 503)
_LINK: Final = link_to_be(invoice(), org_id="org-uk", realm_id="1")
_OUTCOMES: Final = Outcome.__args__  # type: ignore[attr-defined]


def run_faults(data: bytes) -> None:
    call = _CALLS[data[0] % len(_CALLS)] if data else _CALLS[0]
    status = _STATUSES[data[1] % len(_STATUSES)] if len(data) > 1 else 400
    body = data[2:]
    if status == 200:
        try:
            outcome = of_success(call, decode(body), status=status, intuit_tid="t", duration=0.1)
        except ValueError:
            return
    else:
        outcome = of_faults(report_of(body), status=status, intuit_tid="t", duration=0.1)
    _take(outcome)
    if isinstance(outcome, Done):
        # What Intuit answered can be kept, and read again.
        loads(dumps(outcome.body))
        if "BatchItemResponse" in outcome.body:
            for one in batch_outcomes(outcome, ("1", "2")).values():
                _take(one)


def _take(outcome: object) -> None:
    assert isinstance(outcome, _OUTCOMES)
    for fault in getattr(outcome, "faults", ()):
        for part in (fault.code, fault.message, fault.detail, fault.element or ""):
            assert isinstance(part, str)
            # As Postgres takes it.
            assert "\0" not in part.encode().decode()
        colliding_id(fault)
        colliding_document(fault)
    if isinstance(outcome, Refused):
        for entity in ("Invoice", "Customer"):
            problem = problem_for(_LINK, entity, outcome)
            assert problem.cause
            assert problem.message
            assert problem.remedy


def _faults_corpus() -> Iterator[bytes]:
    errors = (
        {"Message": "Stale", "Detail": "Stale Object Error : You and root were working", "code": "5010", "element": ""},
        {"Message": "Duplicate", "Detail": "The name supplied already exists. : Id=123", "code": "6240"},
        {
            "Message": "Duplicate",
            "Detail": "DocNumber=1038 is assigned to TxnType=Invoice with TxnId=396",
            "code": "6140",
        },
        {"Message": "Invalid", "Detail": "Something has been made inactive. element id : 12", "code": "2500"},
        {"message": "message=ThrottleExceeded; errorCode=003001; statusCode=429", "detail": None, "code": None},
    )
    bodies = [
        orjson.dumps({"Fault": {"Error": [one], "type": "ValidationFault"}, "time": "2026-03-02"}) for one in errors
    ]
    bodies.append(orjson.dumps({"fault": {"error": list(errors), "type": "SERVICE"}}))
    bodies.append(orjson.dumps({"Fault": "no"}))
    bodies.append(orjson.dumps({"Invoice": {"Id": "1", "SyncToken": "0", "TotalAmt": 120.5}}))
    bodies.append(orjson.dumps({"QueryResponse": {"Customer": [{"Id": "1"}], "totalCount": 1}}))
    bodies.append(orjson.dumps({"BatchItemResponse": [{"bId": "1", "Fault": {"Error": list(errors)}}, {"bId": "2"}]}))
    bodies.append(
        b'<?xml version="1.0" encoding="UTF-8"?><IntuitResponse xmlns="http://schema.intuit.com/finance/v3">'
        b'<Fault type="AuthenticationFault"><Error code="3200"><Message>message=Unauthorized</Message>'
        b"<Detail>Token expired</Detail></Error></Fault></IntuitResponse>"
    )
    bodies.append(b"<html><body>502 Bad Gateway</body></html>")
    for body in bodies:
        for call in range(len(_CALLS)):
            for status in range(len(_STATUSES)):
                yield bytes([call, status]) + body


# --- The template renderer: an even first byte, and the rest is the text; an odd one, and the rest chooses an expression

_ATOMS: Final = (
    "client", "client.name", "client.notes", "client.tags", "client.extra_data", "client.extra_data.k",
    "client.address.town", "project", "project.manager", "project.billing_client.name", "invoice.date",
    "invoice.billing_start", "invoice.amount_net", "invoice.lines", "invoice.lines[0].description", "org.name",
    "nothing", "'a'", "'%Y-%m'", "'{'", "7", "0", "-1", "0.5", "1e15", "999999999999", "none", "true", "[1,'b']",
)  # fmt: skip
_OPERATORS: Final = ("+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or")
_METHODS: Final = sorted({name for methods in METHODS.values() for name in methods})
_FILTERS: Final = sorted(FILTERS)
_TESTS: Final = sorted(TESTS)


@lru_cache(maxsize=1)
def _variables() -> Mapping[str, object]:
    of = project(
        of=client(
            notes="n" * 9_000, extra_data={"k": "v" * 900, "": "{{ 1 }}"}, tags=("t" * 100,) * 20, name="{% Ünï 漢 %}"
        )
    )
    made = invoice(of=of, lines=tuple(line(position=n, quantity=Decimal("1.5")) for n in range(1, 4)))
    return {"client": of.client, "billing_client": of.client, "project": of, "invoice": made, "org": of.org}


class _Choices:
    """Reads choices from bytes; what is not there is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def of(self, values: Sequence[str]) -> str:
        return values[next(self._data, 0) % len(values)]

    def below(self, number: int) -> int:
        return next(self._data, 0) % number


def _expression(chosen: _Choices, depth: int = 0) -> str:
    form = chosen.below(11) if depth < 6 else 0
    if form in (0, 1):
        return chosen.of(_ATOMS)
    first = _expression(chosen, depth + 1)
    match form:
        case 2:
            return f"{first} | {chosen.of(_FILTERS)}"
        case 3:
            return f"{first} | {chosen.of(_FILTERS)}({_expression(chosen, depth + 1)})"
        case 4:
            return (
                f"{first} | {chosen.of(_FILTERS)}({_expression(chosen, depth + 1)}, {_expression(chosen, depth + 1)})"
            )
        case 5:
            return f"({first}).{chosen.of(_METHODS)}({_expression(chosen, depth + 1)})"
        case 6 | 7:
            return f"({first} {chosen.of(_OPERATORS)} {_expression(chosen, depth + 1)})"
        case 8:
            return f"({first})[{_expression(chosen, depth + 1)}:{_expression(chosen, depth + 1)}]"
        case 9:
            return f"({first} if {_expression(chosen, depth + 1)} is {chosen.of(_TESTS)} else {_expression(chosen, depth + 1)})"
        case _:
            return f"({first})[{_expression(chosen, depth + 1)}]"


def template_of(data: bytes) -> str:
    if data and data[0] % 2:
        return "{{ " + _expression(_Choices(data[1:])) + " }}"
    return data[1:].decode("utf-8", errors="replace")


def run_templates(data: bytes) -> None:
    try:
        made = render(template_of(data), _variables(), field="f")
    except TemplateProblem as problem:
        _report(problem.reason, problem.remedy, str(problem))
        return
    assert len(made) <= MAX_OUTPUT
    assert not set(made) & set("\r\n\t")


def _templates_corpus() -> Iterator[bytes]:
    texts = (
        "{{ invoice.reference }}", "{{ client.name | replace(':', ' -') }}", "{{ project.reference }} {{ project.name[:40] }}",
        "{% if client.code %}{{ client.code }}{% else %}{{ client.id }}{% endif %}", "{{ invoice.date.strftime('%d %B %Y') }}",
        "{{ invoice.amount_net | round(2) }} {{ invoice.currency }}", "{{ client.extra_data.get('k', '-') }}",
        "{{ client.tags | join(', ') | truncate(20) }}", "{{ invoice.lines[0].description }}", "{{ 9 ** 9 ** 9 }}",
        "{{ client.__class__.__mro__ }}", "{% for i in range(10**9) %}{% endfor %}", "{{ '%1000000000d' % 1 }}",
        "{{ 'a' * 10**9 }}", "{# #}", "{% raw %}{{ x }}{% endraw %}", "{{ " + "(" * 90 + "1" + ")" * 90 + " }}",
        "{{ " + "-" * 90 + "1 }}", "{{ client" + ".name" * 40 + " }}", "{{ client | attr('__class__') }}",
    )  # fmt: skip
    yield from (b"\0" + text.encode() for text in texts)
    yield from (bytes([1, *(number * step % 256 for number in range(24))]) for step in range(1, 60, 2))


TARGETS: Final[Mapping[str, Target]] = {
    "decoder": Target(
        run_decoder,
        tuple(_decoder_corpus()),
        (b"\0", b"\xc3\x01", b"\xff" * 5, b"\x7f", b"\x80\x80\x80\x80\x01", b"client", b"invoice", b"project", b"\x02", b"\xed\xa0\x80"),
    ),
    "faults": Target(
        run_faults,
        tuple(_faults_corpus()),
        (
            b'"Fault"', b'"fault"', b'"Error"', b'"code"', b'"Detail"', b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"1e999",
            b"-0", b"NaN", b"<Fault", b"</Fault>", b"<Error code=", b"<!DOCTYPE", b"\\ud800", b"\\u0000", b"6240", b"6140", b"Id=",
            b"TxnId=", b"errorCode=", b"9" * 40,
        ),
    ),
    "templates": Target(
        run_templates,
        tuple(_templates_corpus()),
        (
            b"{{", b"}}", b"{%", b"%}", b"{#", b"#}", b"-%}", b"client", b".name", b"|", b"if", b"else", b"endif", b"raw", b"__class__",
            b"(", b")", b"[", b"]", b"'", b"~", b"**", b"replace", b"truncate", b"round", b"join", b"9999999999", b"1e308", b"\\x00",
        ),
        guided=False,
    ),
}  # fmt: skip
