"""A number before its noun: ``1 invoice``, ``1,200 invoices``, ``1 company is``; every page, mail and command counts with it."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Give the number with the noun in its right form; a plural that is not the noun with an ``s`` is named.

    >>> counted(1, "invoice"), counted(1_200, "invoice"), counted(2, "company is", "companies are")
    ('1 invoice', '1,200 invoices', '2 companies are')
    """
    return f"{number:,} {form_of(number, noun, plural)}"


def form_of(number: int, singular: str, plural: str = "") -> str:
    """Give the form that goes with the number, without the number itself: ``is`` or ``are``."""
    return singular if number == 1 else plural or f"{singular}s"
