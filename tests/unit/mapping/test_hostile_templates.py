"""An admin's template can neither reach Python, nor hang, nor bloat the process that runs it."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mapping import templates
from mapping.sandbox import Sandbox
from mapping.template_functions import CONCATENATE, CUT, FILTERS, MAX_TEXT, METHODS, TESTS, Refused, concatenate
from mapping.templates import COMPILED, MAX_OUTPUT, MAX_TEMPLATE, TemplateProblem, render

SECONDS = 2.0
"""Of the processor, not of the clock: others may have it meanwhile. Without a bound, these take minutes or for ever."""
BYTES = 16 * 1024 * 1024


@contextmanager
def bounded() -> Iterator[None]:
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert peak < BYTES


class Variables(dict[str, object]):
    """Shown in short when a test fails."""

    def __repr__(self) -> str:
        return "variables"


@pytest.fixture(scope="module")
def variables(make: Any) -> Variables:
    client = make.client(notes="n" * 9_000, extra_data={"k": "v" * 9_000}, tags=tuple("t" * 100 for _ in range(100)))
    project = make.project(client=client, billing_client=client)
    return Variables(
        client=client,
        billing_client=client,
        project=project,
        invoice=make.invoice(project=project),
        org=make.org,
    )


HOSTILE = [
    # Python's internals
    "{{ client.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ client['__class__'] }}",
    "{{ client.extra_data['__class__'] }}",
    "{{ client.extra_data.get.__globals__ }}",
    "{{ client.name.upper.__self__ }}",
    "{{ client.name.upper._function }}",
    "{{ client.name['upper'] }}",
    "{{ client | attr('__class__') }}",
    "{{ [client] | map(attribute='__class__') | list }}",
    "{{ '{0.__class__}'.format(client) }}",
    "{{ '{0.__class__}'.format_map({}) }}",
    "{{ client.extra_data.items() }}",
    "{{ client.extra_data.clear() }}",
    "{{ client.extra_data.update(a=1) }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner }}",
    "{{ namespace() }}",
    "{{ lipsum(n=100000) }}",
    "{{ dict(a=1) }}",
    "{{ range(10) }}",
    "{{ request }}",
    "{{ (1).real }}",
    "{{ invoice.date.today() }}",
    "{{ invoice.date.replace(year=1) }}",
    "{{ invoice.lines.append(1) }}",
    "{{ client.name.encode() }}",
    "{{ client.name.join(client.tags) }}",
    "{{ client.name.__len__() }}",
    "{{ client.name.strip(*client.tags) }}",
    "{{ client.name.strip(**client.extra_data) }}",
    # time
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for a in client.notes %}{% for b in client.notes %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% call x() %}{% endcall %}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 10 ** 1000000000 }}",
    "{{ 1 << 100000000 }}",
    "{{ 5 | round(-1000000000) }}",
    "{{ 5 | round(1000000000) }}",
    "{{ client.notes | urlize }}",
    "{{ client.notes | wordwrap(1) }}",
    "{{ client.notes | striptags }}",
    "{{ client.tags | sort | groupby('x') }}",
    "{{ client.tags | sum }}",
    # memory
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 1000000000 * 'a' }}",
    "{{ [1] * 1000000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ client.name | center(1000000000) }}",
    "{{ client.name.center(1000000000) }}",
    "{{ client.name.ljust(1000000000) }}",
    "{{ '1'.zfill(1000000000) }}",
    "{{ client.name.expandtabs(1000000000) }}",
    "{{ invoice.date.strftime('%1000000000d') }}",
    "{{ invoice.date | date('%1000000000Y') }}",
    "{{ invoice.date | date('" + "%A" * 500 + "') }}",
    "{{ client.notes | indent(1000000000) }}",
    "{{ client.tags | batch(1000000000, 'x') | list }}",
    "{{ client.tags | slice(1000000000) | list }}",
    "{{ client.notes | replace('n', client.notes) }}",
    "{{ client.notes.replace('', client.notes) }}",
    "{{ client.notes | replace('n', 'nn') | replace('n', 'nn') }}",
    "{{ client.tags | join(client.notes) }}",
    "{{ client.notes ~ client.notes }}",
    "{{ client.notes + client.notes }}",
    "{{ client.notes }}",
    "{{ client | tojson }}",
    "{{ client | pprint }}",
    "{{ client | xmlattr }}",
    "{{ 999999999999 * 999999999999 }}",
    "{{ 1e999 }}",
    "{{ 1e17 * 1e17 }}",
    "{{ " + "9" * 1900 + " }}",
    # nesting
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    "{{ " + "[" * 900 + "]" * 900 + " }}",
    "{{ " + "-" * 1900 + "1 }}",
    "{{ " + "not " * 450 + "1 }}",
    "{{ client" + ".name" * 380 + " }}",
    "{{ client.name" + "[0]" * 600 + " }}",
    "{{ client.name" + "|upper" * 300 + " }}",
    "{{ " + "1+" * 900 + "1 }}",
    "{% if 1 %}" * 130 + "{% endif %}" * 60,
    "{" * 2000,
    "{%" * 900,
    "{{ '" + "\\" * 1900,
    # other templates, other statements
    "{% include '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% block b %}{% endblock %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with x = 1 %}{% endwith %}",
    "{% set client = 1 %}",
    "{% do x %}",
    "{% trans %}x{% endtrans %}",
    "{% autoescape true %}{% endautoescape %}",
    "{{ {'a': 1} }}",
    "x" * (MAX_TEMPLATE + 1),
]


@pytest.mark.parametrize("template", HOSTILE, ids=lambda template: template[:40])
def test_is_refused_at_once(variables: Variables, template: str) -> None:
    with bounded(), pytest.raises(TemplateProblem) as raised:
        render(template, variables, field="f")
    assert len(str(raised.value)) < 1_000


def test_these_would_be_dangerous_in_jinjas_own_sandbox(make: Any) -> None:
    """Why there is one of our own: the stock one lets a field format widen, and text repeat, without bound."""
    stock = ImmutableSandboxedEnvironment()
    assert len(stock.from_string("{{ 'a' * 3000000 }}").render()) == 3_000_000
    assert len(stock.from_string("{{ '{:>3000000}'.format(1) }}").render()) == 3_000_000


def test_the_sandbox_itself_calls_nothing_but_its_methods() -> None:
    """Behind the check of what is written: should that ever let a call through, nothing is called."""
    called: list[int] = []
    with pytest.raises(Refused, match="cannot be called"):
        Sandbox().from_string("{{ f(1) }}").render(f=called.append)
    with pytest.raises(UndefinedError, match="has no field"):
        Sandbox().from_string("{{ f.__name__ }}").render(f=test_is_refused_at_once)
    with pytest.raises(UndefinedError, match="has no field"):
        Sandbox().from_string("{{ f['__name__'] }}").render(f=test_is_refused_at_once)
    assert called == []


@pytest.mark.parametrize("name", sorted({*FILTERS, "~"} - {"d", "default", "first", "last", "length", "join"}))
def test_no_filter_takes_a_text_that_is_too_long(name: str) -> None:
    arguments = {"replace": ("a", "b"), "date": (), "~": ("x",)}.get(name, ())
    with pytest.raises(Refused):
        {**FILTERS, "~": concatenate}[name]("n" * (MAX_TEXT + 1), *arguments)


def test_the_longest_result_is_bounded(make: Any) -> None:
    client = make.client(name="n" * (MAX_OUTPUT // 10 + 1))
    with pytest.raises(TemplateProblem, match=f"longer than {MAX_OUTPUT:,}"):
        render("{{ client.name }}" * 10, {"client": client}, field="f")


def test_a_long_text_can_be_cut(make: Any) -> None:
    client = make.client(notes="n" * 1_000_000)
    with bounded():
        assert render("{{ client.notes[:5] }}", {"client": client}, field="f") == "nnnnn"


def test_the_dearest_template_that_is_allowed_stays_cheap(variables: Variables) -> None:
    part = "{{ client.notes|upper|lower|title|replace('n','m')|length }}"
    with bounded():
        render(part * (MAX_TEMPLATE // len(part)), variables, field="f")


def test_compiled_templates_are_kept_in_a_bounded_number(make: Any) -> None:
    assert templates._compile.cache_info().maxsize == COMPILED
    for number in range(5):
        render(f"{{{{ client.name }}}} {number}", {"client": make.client()}, field="f")
    assert 5 <= templates._compile.cache_info().currsize <= COMPILED


def test_no_filter_or_method_of_jinja_or_python_is_there_by_default() -> None:
    sandbox = Sandbox()
    assert set(sandbox.filters) == {*FILTERS, CONCATENATE, CUT}
    assert set(sandbox.tests) == set(TESTS)
    assert sandbox.globals == {}
    ours = [*FILTERS.values(), *(function for methods in METHODS.values() for function in methods.values())]
    assert {function.__module__ for function in ours} == {"mapping.template_functions"}


_ATOMS = st.sampled_from(
    (
        "client",
        "client.name",
        "client.notes",
        "client.tags",
        "client.extra_data",
        "client.extra_data.k",
        "project.manager",
        "invoice.date",
        "invoice.amount_net",
        "invoice.lines",
        "'a'",
        "7",
        "0.5",
        "-1",
        "none",
        "true",
        "[1, 'b']",
    )
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    methods = sorted({name for kinds in METHODS.values() for name in kinds})
    return st.one_of(
        st.tuples(inner, st.sampled_from(sorted(FILTERS))).map("|".join),
        st.tuples(inner, st.sampled_from(sorted(FILTERS)), inner).map(lambda t: f"{t[0]}|{t[1]}({t[2]})"),
        st.tuples(inner, st.sampled_from(["replace", "truncate"]), inner, inner).map(
            lambda t: f"{t[0]}|{t[1]}({t[2]}, {t[3]})"
        ),
        st.tuples(inner, st.sampled_from(methods), inner).map(lambda t: f"({t[0]}).{t[1]}({t[2]})"),
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "~", "==", "<", "in", "and", "or"]), inner
        ).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        inner.map(lambda text: f"({text})[:3]"),
    )


@settings(max_examples=400, deadline=2_000, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(expression=st.recursive(_ATOMS, _grow, max_leaves=12))
def test_whatever_is_written_gives_a_bounded_text_or_a_problem(variables: Variables, expression: str) -> None:
    try:
        made = render("{{ " + expression + " }}", variables, field="f")
    except TemplateProblem:
        return
    assert len(made) <= MAX_OUTPUT
