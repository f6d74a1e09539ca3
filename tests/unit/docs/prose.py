"""Read the prose of a Markdown page: without code, tables, pictures and addresses."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(r"^ *```.*?^ *```[^\n]*$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]*)`")
_BLOCK = re.compile(r"^(?:#+ |[-*] |\d+\. |\| )", re.MULTILINE)
_END = re.compile(r"(?<=[.!?:])\s+")


def without_code(page: str) -> str:
    """The page with every code block and every inline code removed."""
    return _CODE.sub(" ", _FENCE.sub("", page))


def sentences(page: str) -> list[str]:
    """The sentences of the page's paragraphs and lists. A name in code counts as one word; headings and tables do not count."""
    text = _LINK.sub(r"\1", _PICTURE.sub("", _FENCE.sub("", page)))
    text = _CODE.sub("code", text)
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        for block in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", paragraph):
            line = " ".join(block.split())
            if not line or line.startswith(("#", "|", "<", "!!!")):
                continue
            line = _BLOCK.sub("", line).replace("**", "")
            found += [one for one in _END.split(line) if re.search("[a-zA-Z]", one)]
    return found


def words(sentence: str) -> int:
    return len(re.findall(r"[\w’'-]+", sentence))
