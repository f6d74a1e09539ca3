"""A hook of mkdocs: pages outside docs/ are pages of the site too, and links between both work in either place."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tests/README.md")
_LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pages outside docs/, as if they were in it."""
    for name in TOP:
        files.append(File.generated(config, name, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point every link to a page at its place in the site, and leave out links to source files, which the site does not have."""
    here = posixpath.dirname(page.file.src_uri)
    # Where the page's links start from in the repository.
    start = here if page.file.src_uri in TOP else posixpath.join("docs", here)

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(start, link["target"]))
        if target in TOP or target.startswith("docs/"):
            place = posixpath.relpath(target.removeprefix("docs/"), here or ".")
            return f"{link['text']}({place}{link['anchor'] or ''})"
        return link["text"].strip("[]") if (ROOT / target).exists() else link[0]

    return _LINK.sub(moved, markdown)
