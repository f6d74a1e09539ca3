"""No address that stands in a record is ever opened: what this program speaks to comes from its settings alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from schemas.events import VatRate
from tests.builders import client, event, invoice, line, project
from tests.integration.notifier.harness import Post, html


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A port of this machine that nobody has any business with."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_addresses_in_events_are_text_and_nothing_else(post: Post, trap: socket.socket) -> None:
    url = f"http://127.0.0.1:{trap.getsockname()[1]}/x"
    owner = client(
        name=f"A {url.replace(':', ' ')}", website=url, notes=url, vat_number=url, code=url, phone="+44 1", tags=(url,),
        extra_data={url: url},
    )  # fmt: skip
    survey = project(of=owner, name=f"P {url.replace(':', ' ')}", details=url, confirmation_details=url)
    unmapped = VatRate("vat-x", f"<img src={url}> {url}", invoice().lines[0].amount_vat)
    post.pipeline.ingest(
        event(owner),
        event(survey),
        event(invoice("i1", of=survey, details=url, lines=(line(description=url),))),
        event(invoice("i2", of=survey, details=url, lines=(line(description=url, vat=unmapped),))),
    )
    post.pipeline.drive()
    (message,) = post.later(seconds=6)
    assert {row.state for row in post.pipeline.links(kind="invoice")} == {"synced", "failed"}
    # Nor does the mail reader open it: no picture, no sheet, no script, and links only into the admin.
    page = html(message)
    assert "<img" not in page
    assert f'href="{url}' not in page
    assert f'src="{url}' not in page
    with pytest.raises(BlockingIOError):
        trap.accept()
