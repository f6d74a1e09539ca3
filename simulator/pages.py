"""What people see: the status page and the sign-in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2
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
