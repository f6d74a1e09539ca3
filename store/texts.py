"""Texts that Postgres can hold."""

from __future__ import annotations

from typing import Final

NAME_LENGTH: Final = 200
"""What people search for is indexed, and an index entry is small: the beginning of a name is enough."""
WORDS_LENGTH: Final = 4000


def storable(text: str, length: int = NAME_LENGTH) -> str:
    """Give the text without NUL characters and halves of surrogate pairs, cut to ``length`` characters."""
    return text[:length].encode("utf-8", "replace").decode().replace("\0", "")
