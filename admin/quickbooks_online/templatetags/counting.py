"""Filters for a number before its noun; every template has them (``builtins`` in `admin/settings.py`)."""

from __future__ import annotations

from django import template

from schemas import counting

register = template.Library()


@register.filter
def counted(number: int, forms: str) -> str:
    """``{{ 2|counted:"invoice" }}`` is ``2 invoices``; a plural of its own comes after a comma: ``"company,companies"``."""
    noun, _, plural = forms.partition(",")
    return counting.counted(int(number), noun, plural)


@register.filter
def form_of(number: int, forms: str) -> str:
    """``{{ 2|form_of:"is,are" }}`` is ``are``: the form that goes with a number which stands elsewhere."""
    singular, _, plural = forms.partition(",")
    return counting.form_of(int(number), singular, plural)
