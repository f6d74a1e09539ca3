"""What people see: the status page, the sign-in pages; and the XML that a client gets which does not ask for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import jinja2
import orjson
from aiohttp import web

from simulator.company import TRANSACTIONS
from simulator.world import World

_COUNTED = ("Customer", "Vendor", "Item", *TRANSACTIONS)
_SHOWN = 50
_environment = jinja2.Environment(loader=jinja2.PackageLoader("simulator"), autoescape=True)


def page(template: str, status: int = 200, **members: Any) -> web.Response:
    text = _environment.get_template(template).render(**members)
    return web.Response(text=text, status=status, content_type="text/html")


def page_bytes(template: str, **members: Any) -> bytes:
    return _environment.get_template(template).render(**members).encode()


def status(world: World, query: Mapping[str, str]) -> web.Response:
    """Companies, the objects of one of them, the last requests and the rules in force."""
    chosen = world.companies.get(query.get("realm", ""))
    objects = []
    if chosen is not None:
        objects = [
            (entity, [chosen.render(entity, one) for one in list(chosen.tables[entity].values())[-_SHOWN:]])
            for entity in ("Customer", *TRANSACTIONS)
        ]
    return page(
        "status.html",
        title="QuickBooks Online simulator",
        time=world.clock.envelope_stamp(),
        companies=list(world.companies.values()),
        counted=_COUNTED,
        chosen=chosen,
        objects=objects,
        requests=world.journal.newest(_SHOWN),
        rules=world.troubles.rules,
    )


def as_xml(body: bytes) -> bytes:
    """A JSON response in the XML that Intuit sends by default."""
    found = orjson.loads(body)
    inner = "".join(_element(name, value) for name, value in found.items() if name != "time")
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time={quoteattr(str(found.get("time", "")))}>'
        f"{inner}</IntuitResponse>"
    )
    return text.encode()


def throttle_xml(code: str, message: str, detail: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><IntuitResponse xmlns="http://schema.intuit.com/finance/v3">'
        f'<Fault type="SERVICE"><Error code={quoteattr(code)}><Message>{escape(message)}</Message>'
        f"<Detail>{escape(detail)}</Detail></Error></Fault></IntuitResponse>"
    )


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(inner, one) for inner, one in value.items())}</{name}>"
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"
