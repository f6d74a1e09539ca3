"""Names, numbers and custom fields from the templates of a Kompass admin (Jinja2; set-up article, steps 1 and 4).

What a template may do is in `mapping.sandbox`. A value that comes from an event is never read as a template: a client
called ``{{ x }}`` is called that.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, cast

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from mapping.sandbox import ALLOWED_NODES, REJECTED_NODES, Sandbox
from mapping.template_functions import CONCATENATE, CUT, FILTERS, MAX_NUMBER, METHOD_NAMES, TESTS, Refused, fields_of
from mapping.texts import one_line
from schemas.events import Client, Invoice, OrgRef, Project

MAX_TEMPLATE = 2_000
"""Characters of a template."""
MAX_DEPTH = 40
MAX_OUTPUT = 5_000
"""Characters of a result; QBO's longest text that a template fills has 500."""
MAX_REASON = 300
"""Characters of what a problem says: a template can make a name out of a whole note, and the message is mailed."""
COMPILED = 1_024
"""Templates kept compiled (50 KB each at worst); an Org has six at most, and most Orgs have the default ones."""

VARIABLES: Mapping[str, type] = {
    "client": Client,
    "billing_client": Client,
    "project": Project,
    "invoice": Invoice,
    "org": OrgRef,
    "name": str,
    "currency": str,
}
CLIENT_VARIABLES = ("client", "org")
CURRENCY_VARIABLES = ("name", "currency", "client", "org")
PROJECT_VARIABLES = ("project", "client", "billing_client", "org")
DOCUMENT_VARIABLES = ("invoice", "project", "client", "billing_client", "org")


class TemplateProblem(Exception):
    """A template cannot be used, or failed on this record.

    ``reason`` and ``remedy`` are written for its author, ``line`` counts from 1, ``variable`` is the name at fault, or
    empty.
    """

    def __init__(self, *, field: str, line: int, reason: str, remedy: str, variable: str = "") -> None:
        reason, variable = _cut(reason), _cut(variable)
        super().__init__(f"{field}, line {line}: {reason}. {remedy}")
        self.field = field
        self.line = line
        self.reason = reason
        self.remedy = remedy
        self.variable = variable


def _cut(words: str) -> str:
    return words if len(words) <= MAX_REASON else words[:MAX_REASON] + "…"


class _Rejected(Exception):
    """A template that cannot be used, before it is known which field it is for."""

    def __init__(self, line: int, reason: str, remedy: str, variable: str = "") -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
        self.remedy = remedy
        self.variable = variable

    def of(self, field: str) -> TemplateProblem:
        return TemplateProblem(
            field=field, line=self.line, reason=self.reason, remedy=self.remedy, variable=self.variable
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Compiled:
    template: Template
    names: tuple[tuple[str, int], ...]
    """The variables it reads, with the line of each."""


_SANDBOX = Sandbox()


def render(template: str, variables: Mapping[str, object], *, field: str) -> str:
    """What ``template`` gives for ``variables``, on one line and trimmed; tabs and line breaks become spaces.

    An absent optional value is written as nothing. Time and memory are bounded for every template.

    :param field: what the admin calls the template: *DocNumber Template*.
    :raises TemplateProblem: it cannot be used, or fails on these variables.
    """
    try:
        compiled = _compile(template)
        _check_names(compiled, variables)
    except _Rejected as rejected:
        raise rejected.of(field) from None
    jinja = compiled.template
    parts: list[str] = []
    size = 0
    try:
        for part in jinja.root_render_func(jinja.new_context(dict(variables))):
            size += len(part)
            if size > MAX_OUTPUT:
                raise Refused(f"the result is longer than {MAX_OUTPUT:,} characters")
            parts.append(part)
    except (
        Refused,
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        line = _line_of(jinja, error.__traceback__)
        reason = _reason(error)
        variable = getattr(error, "variable", "")
        raise TemplateProblem(
            field=field, line=line, reason=reason, remedy=_remedy(reason, field), variable=variable
        ) from error
    return one_line("".join(parts))


def validate(template: str, allowed_variables: Collection[str], *, field: str = "template") -> None:
    """Checks a template that an admin is about to save: its syntax, what it does, its variables and their fields.

    :raises TemplateProblem: it cannot be used.
    """
    try:
        _check_names(_compile(template), allowed_variables)
    except _Rejected as rejected:
        raise rejected.of(field) from None


def _check_names(compiled: _Compiled, known: Collection[str]) -> None:
    for name, line in compiled.names:
        if name not in known:
            raise _Rejected(
                line,
                f"there is no variable {name!r} here",
                f"Use one of: {', '.join(sorted(known))}.",
                name,
            )


@lru_cache(maxsize=COMPILED)
def _compile(source: str) -> _Compiled:
    if len(source) > MAX_TEMPLATE:
        raise _Rejected(
            1, f"it has {len(source):,} characters, and at most {MAX_TEMPLATE:,} are possible", "Shorten it."
        )
    try:
        tree = _SANDBOX.parse(source)
    except TemplateSyntaxError as error:
        message = (error.message or "it cannot be read").rstrip(".")
        raise _Rejected(error.lineno, message, "Correct it; {{ … }} writes a value, {% if … %} chooses.") from None
    except RecursionError:
        raise _too_deep(1) from None
    names: dict[str, int] = {}
    _check(tree, names, depth=0)
    tree = _Bounded().visit(tree)
    # Only a checked tree is compiled: compiling already computes what is constant.
    template = _SANDBOX.from_string(cast(nodes.Template, tree))
    return _Compiled(template, tuple(names.items()))


def _too_deep(line: int) -> _Rejected:
    return _Rejected(line, "it is nested too deeply", "Write it with fewer brackets and operators.")


def _check(node: nodes.Node, names: dict[str, int], *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep(node.lineno)
    if type(node) not in ALLOWED_NODES:
        what = REJECTED_NODES.get(type(node), f"{type(node).__name__.lower()}")
        raise _Rejected(
            node.lineno, f"{what} is not possible here", "Use values, {% if %}, filters and the methods of texts."
        )
    for child in node.iter_child_nodes():
        _check(child, names, depth=depth + 1)
    # The checks of a node look down into it, so they come after the depth is known.
    check = _CHECKS.get(type(node))
    if check is not None:
        check(node)
    if isinstance(node, nodes.Name):
        names.setdefault(node.name, node.lineno)
    elif isinstance(node, (nodes.Filter, nodes.Test, nodes.Call)) and (node.dyn_args or node.dyn_kwargs):
        raise _Rejected(node.lineno, "* and ** are not possible in a call", "Write the arguments out.")


def _check_constant(node: nodes.Const) -> None:
    if isinstance(node.value, (int, float)) and not abs(node.value) <= MAX_NUMBER:
        raise _Rejected(node.lineno, "a number is too large", "Use a smaller number.")


def _check_call(node: nodes.Call) -> None:
    target = node.node
    if not isinstance(target, nodes.Getattr) or target.attr not in METHOD_NAMES:
        called = getattr(target, "attr", None) or getattr(target, "name", None) or "this"
        raise _Rejected(
            node.lineno,
            f"{called} cannot be called",
            f"What can be called: {', '.join(sorted(METHOD_NAMES))}.",
            str(called),
        )


def _check_name(node: nodes.Name) -> None:
    if node.name not in VARIABLES:
        raise _Rejected(
            node.lineno,
            f"there is no variable {node.name!r}",
            _suggestion(node.name, VARIABLES) or f"Use one of: {', '.join(sorted(VARIABLES))}.",
            node.name,
        )


def _check_known(what: str, name: str, known: Collection[str], node: nodes.Node) -> None:
    if name not in known:
        raise _Rejected(
            node.lineno,
            f"there is no {what} {name!r}",
            _suggestion(name, known) or f"Use one of: {', '.join(sorted(known))}.",
            name,
        )


def _check_field(node: nodes.Getattr) -> None:
    if node.attr.startswith("_"):
        raise _Rejected(node.lineno, f"{node.attr!r} is not a field", "Fields do not begin with _.", node.attr)
    kind = _kind_of(node.node)
    if not _is_record(kind):
        return
    known = _field_types(kind)
    if node.attr not in known:
        raise _Rejected(
            node.lineno,
            f"{_written(node.node)} has no field {node.attr!r}",
            _suggestion(node.attr, known) or f"Its fields: {', '.join(sorted(known))}.",
            f"{_written(node.node)}.{node.attr}",
        )


def _check_filter(node: nodes.Filter) -> None:
    _check_known("filter", node.name, FILTERS, node)


def _check_test(node: nodes.Test) -> None:
    _check_known("test", node.name, TESTS, node)


_CHECKS: Mapping[type[nodes.Node], Callable[[Any], None]] = {
    nodes.Call: _check_call,
    nodes.Const: _check_constant,
    nodes.Filter: _check_filter,
    nodes.Getattr: _check_field,
    nodes.Name: _check_name,
    nodes.Test: _check_test,
}


def _suggestion(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


def _written(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_written(node.node)}.{node.attr}"
    return "it"


def _kind_of(node: nodes.Node) -> Any:
    """The type of a variable or of its field, as far as it is certain; else None."""
    if isinstance(node, nodes.Name):
        return VARIABLES.get(node.name)
    if isinstance(node, nodes.Getattr):
        owner = _kind_of(node.node)
        if _is_record(owner):
            return _field_types(owner).get(node.attr)
    return None


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and bool(fields_of(kind))


def _field_types(kind: Any) -> Mapping[str, Any]:
    known = _FIELD_TYPES.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind)
        known = {name: _without_none(hints[name]) for name in fields_of(kind)}
        _FIELD_TYPES[kind] = known
    return known


_FIELD_TYPES: dict[type, Mapping[str, Any]] = {}


def _without_none(hint: Any) -> Any:
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    optional = type(None) in typing.get_args(hint)
    return options[0] if optional and len(options) == 1 else hint


class _Bounded(NodeTransformer):
    """``a ~ b`` and ``a[b:c]`` become filters that check what they get and make."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        first, *rest = node.nodes
        return nodes.Filter(first, CONCATENATE, rest, [], None, None, lineno=node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        none = nodes.Const(None, lineno=node.lineno)
        bounds: list[nodes.Expr] = [node.arg.start or none, node.arg.stop or none, node.arg.step or none]
        return nodes.Filter(node.node, CUT, bounds, [], None, None, lineno=node.lineno)


def _line_of(template: Template, trace: TracebackType | None) -> int:
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _reason(error: Exception) -> str:
    if isinstance(error, (Refused, TemplateError)):
        return str(error).rstrip(".")
    if isinstance(error, ArithmeticError):
        return "a number cannot be computed (a division by zero?)"
    words = str(error).lstrip("_")
    for inner, outer in _TYPE_NAMES.items():
        words = words.replace(inner, outer)
    return words[:200]


_TYPE_NAMES = {"'NoneType'": "nothing", "'Decimal'": "a number", "'int'": "a number", "'str'": "a text"}


def _remedy(reason: str, field: str) -> str:
    if "has no field" in reason or "has no item" in reason:
        return f"Correct the {field}, or give a value for when it is missing: | default('')."
    return f"Correct the {field}."
