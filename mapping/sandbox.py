"""The Jinja2 environment in which customers' templates run: an immutable sandbox that is bounded by construction.

A template may choose (``if``), read fields, compare, compute with small numbers and call the filters and methods of
`mapping.template_functions`. It has no loops, macros, assignments, includes or calls of anything else, so its time
grows with its length only, and its length is capped. Python's own objects are out of reach: an attribute is a field of
a record or one of those methods, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from jinja2 import nodes, pass_context
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mapping.template_functions import (
    CONCATENATE,
    CUT,
    FILTERS,
    MAX_NUMBER,
    TESTS,
    Method,
    Refused,
    Unknown,
    concatenate,
    cut,
    describe,
    fields_of,
    method_of,
    number_of,
    text_of,
)


@pass_context
def _finalize(_: Context, value: object) -> str:
    return text_of(value)


class Sandbox(ImmutableSandboxedEnvironment):
    """What reads fields, calls methods and applies operators for a compiled template."""

    intercepted_binops = frozenset(["//", "%", "+", "*", "-", "/", "**"])
    intercepted_unops = frozenset(["+", "-"])

    def __init__(self) -> None:
        # Without the optimizer, and with a finalize that needs the context, nothing is computed while compiling.
        super().__init__(undefined=Unknown, autoescape=False, optimized=False, finalize=_finalize, cache_size=0)
        self.globals.clear()
        self.filters = {**FILTERS, CONCATENATE: concatenate, CUT: cut}
        self.tests = dict(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Undefined):
            return obj.__getattr__(attribute)
        if attribute in fields_of(type(obj)):
            return getattr(obj, attribute)
        if obj is None:
            # A record or field that is optional and absent here; that it exists at all was checked when compiling.
            return None
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return method_of(obj, attribute) or self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (str, list, tuple)) and isinstance(argument, int):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(f"{describe(obj)} has no item {argument}", obj=obj, name=str(argument))
        if isinstance(obj, Mapping):
            key = text_of(argument)
            return obj[key] if key in obj else self.undefined(obj=obj, name=key)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return self.undefined(f"{describe(obj)} has no items", obj=obj, name=str(argument)[:40])

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        if isinstance(__obj, Undefined):
            return __obj()
        if not isinstance(__obj, Method):
            raise Refused(f"{describe(__obj)} cannot be called")
        return __obj(*args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return concatenate(left, right)
        if operator == "**" or isinstance(left, str) or isinstance(right, str):
            self._refuse_operator(operator, left, right)
        return number_of(self.binop_table[operator](number_of(left), number_of(right)))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        if isinstance(arg, int) and not isinstance(arg, bool) and abs(arg) <= MAX_NUMBER:
            # A whole number stays one, so that it can be an index.
            return -arg if operator == "-" else arg
        return self.unop_table[operator](number_of(arg))

    def _refuse_operator(self, operator: str, left: object, right: object) -> NoReturn:
        hint = "; join texts with ~" if operator == "+" else ""
        raise Refused(f"{operator} is not possible between {describe(left)} and {describe(right)}{hint}")


ALLOWED_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.If,
        nodes.CondExpr,
        nodes.Name,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Slice,
        nodes.Const,
        nodes.List,
        nodes.Tuple,
        nodes.Filter,
        nodes.Test,
        nodes.Call,
        nodes.Keyword,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Neg,
        nodes.Pos,
        nodes.Add,
        nodes.Sub,
        nodes.Mul,
        nodes.Div,
        nodes.FloorDiv,
        nodes.Mod,
        nodes.Concat,
    }
)

REJECTED_NODES: Mapping[type[nodes.Node], str] = {
    nodes.For: "{% for %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.With: "{% with %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.Block: "{% block %}",
    nodes.Extends: "{% extends %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from … import %}",
    nodes.Pow: "**",
    nodes.Dict: "{…: …}",
}
