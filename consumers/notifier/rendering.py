"""Digests and all clears as text and HTML, by templates that can be replaced one by one (NOTIFIER_TEMPLATES)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import (
    BaseLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    select_autoescape,
)
from jinja2 import ChoiceLoader as Choices

from consumers.errors import ConsumersError, ExitCode
from consumers.notifier.digest import Digest
from consumers.notifier.filed import FiledMail
from schemas.counting import counted, form_of

LARGEST = 70_000
"""Bytes of both parts. Some mail readers cut a mail off at 102 kB, and on the way base64 makes 78 of every 57: 96 kB and the headers."""
TEMPLATES = tuple(
    f"{name}.{form}.j2" for name in ("digest", "all_clear", "outage", "filed") for form in ("html", "txt")
)


class BadTemplates(ConsumersError):
    """NOTIFIER_TEMPLATES holds a template that cannot be used."""

    exit_code = ExitCode.BAD_SETTING


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    html: str

    @property
    def size(self) -> int:
        """Bytes of both parts, before they are encoded for the way."""
        return len(self.text.encode()) + len(self.html.encode())


class Renderer:
    """Renders mails. ``directory`` may hold templates that replace ours, by the same names."""

    def __init__(self, directory: str | None = None) -> None:
        loaders: list[BaseLoader] = [PackageLoader("consumers.notifier", "templates")]
        if directory:
            if not Path(directory).is_dir():
                raise BadTemplates(
                    f"NOTIFIER_TEMPLATES is {directory!r}, which is no directory; give one, or leave it unset"
                )
            loaders.insert(0, FileSystemLoader(directory))
        # Names from events land in these pages: everything is escaped but in the plain texts.
        self._environment = Environment(
            loader=Choices(loaders),
            autoescape=select_autoescape(enabled_extensions=("html", "html.j2"), default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {"counted": counted, "form_of": form_of}
        for name in TEMPLATES:
            try:
                self._environment.get_template(name)
            except TemplateError as error:
                raise BadTemplates(
                    f"NOTIFIER_TEMPLATES: {name} cannot be used ({error}); correct it or take it away"
                ) from None

    def digest(self, digest: Digest) -> Rendered:
        """Render a digest; with fewer causes and documents in full when the mail would become too large."""
        rendered = self._render("digest", digest=digest)
        while rendered.size > LARGEST and (less := _shorter(digest)) is not None:
            digest = less
            rendered = self._render("digest", digest=digest)
        return rendered

    def all_clear(self, *, org_name: str, headlines: Sequence[str], url: str) -> Rendered:
        return self._render(
            "all_clear", org_name=org_name, headlines=headlines[:20], more=max(0, len(headlines) - 20), url=url
        )

    def filed(self, mail: FiledMail) -> Rendered:
        return self._render("filed", mail=mail, org_name=mail.org_name)

    def outage(self, *, org_name: str, since: str, waiting: str, url: str) -> Rendered:
        return self._render("outage", org_name=org_name, since=since, waiting=waiting, url=url)

    def _render(self, name: str, **values: object) -> Rendered:
        return Rendered(
            text=self._environment.get_template(f"{name}.txt.j2").render(**values),
            html=self._environment.get_template(f"{name}.html.j2").render(**values),
        )


def _shorter(digest: Digest) -> Digest | None:
    """The same with half as much in full, and the rest by its number; None when there is no half left."""
    if len(digest.sections) > 1:
        kept = len(digest.sections) // 2
        more = digest.more_causes + len(digest.sections) - kept
        return replace(digest, sections=digest.sections[:kept], more_causes=more)
    if len(digest.left) > 1:
        kept = len(digest.left) // 2
        return replace(digest, left=digest.left[:kept], more_left=digest.more_left + len(digest.left) - kept)
    return None
