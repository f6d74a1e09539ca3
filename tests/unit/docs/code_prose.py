"""Read the prose of source files: docstrings, comments and texts of Python, and what templates show."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.unit.docs.prose import ROOT, without_code

LEFT_OUT = ("/migrations/", "/build/", "/.", "/node_modules/")
_STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
# What a text takes in; in SQL a value, a column of a table with an alias, and a column that is set.
_VALUE = re.compile(r"\{[^{}]*\}|'[\w-]+'|\b[a-z]\.\w+|\w+ = (?:true|false)")
_MARKUP = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>", re.DOTALL)


def sources(*folders: str) -> list[Path]:
    """The Python files and templates below these folders."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(
        path for path in found
        if (path.suffix == ".py" or path.suffix in {".html", ".j2"})
        and not any(part in "/" + path.relative_to(ROOT).as_posix() for part in LEFT_OUT)
    )  # fmt: skip


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of each comment and of each string that has a space. A name in backquotes is no prose."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from enumerate(_MARKUP.sub(lambda found: "\n" * found[0].count("\n"), text).splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type in _STRINGS and " " in token.string):
            words = _VALUE.sub("", token.string.replace("``", "`"))
            yield from enumerate(without_code(words).splitlines(), token.start[0])
