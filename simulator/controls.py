"""The controls under `/_simulator/`: state, log, trouble, clock, quotas, switches. JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from simulator import bookkeeper, settings
from simulator.oauth import ACCOUNTING_SCOPE, App
from simulator.seeds import USA
from simulator.trouble import RuleError
from simulator.world import StateError, World, company_shown

PREFIX = "/_simulator/"


class ControlError(ValueError):
    """A control was used wrongly; the text says how."""


async def handle(world: World, request: web.BaseRequest, path: str, query: dict[str, str], body: bytes) -> web.Response:
    """Answer one control request: 200 with JSON, 400 with `{"error": …}`, 404 or 405."""
    name = path.removeprefix(PREFIX).strip("/")
    found = {method: control for (method, known), control in _CONTROLS.items() if known == name}
    if not found:
        return _json(
            {"error": f"there is no control {name!r}; there are {', '.join(sorted({k for _, k in _CONTROLS}))}"}, 404
        )
    control = found.get(request.method)
    if control is None:
        return _json({"error": f"{name} takes {', '.join(sorted(found))}"}, 405)
    try:
        if (request.method, name) == ("PUT", "state"):
            world.load(body)
            return _json({"companies": list(world.companies)})
        given = orjson.loads(body) if body else {}
        if not isinstance(given, dict):
            raise ControlError("the body must be a JSON object")
        answer = control(world, given, query)
    except orjson.JSONDecodeError as error:
        return _json({"error": f"the body is not JSON: {error}"}, 400)
    except (ControlError, RuleError, StateError, settings.SettingsError, bookkeeper.BookkeeperError) as error:
        return _json({"error": str(error)}, 400)
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type="application/json")
    return _json(answer)


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json")


def _state(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    if "realm" not in query:
        return world.shown()
    company = world.companies.get(query["realm"])
    if company is None:
        raise ControlError(f"there is no company {query['realm']!r}")
    return company_shown(company)


def _requests(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    wanted = {
        name: query[name] for name in ("realm", "entity", "operation", "requestid", "method", "client") if name in query
    }
    since_text = query.get("since", "0")
    if not since_text.isdecimal():
        raise ControlError(f"since is {since_text!r}; it must be the number of a request")
    since = int(since_text)
    bodies = query.get("bodies", "true") != "false"
    kept = [
        one.as_wire(bodies=bodies)
        for one in world.journal
        if one.number > since and all(getattr(one, name).lower() == value.lower() for name, value in wanted.items())
    ]
    return {"requests": kept}


def _forget_requests(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    count = len(world.journal)
    world.journal.clear()
    return {"forgotten": count}


def _rules(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"rules": [rule.as_wire() for rule in world.troubles.rules]}


def _add_rules(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    wanted = given.get("rules", [given])
    return {"rules": [world.troubles.add(one).as_wire() for one in wanted]}


def _remove_rules(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"removed": world.troubles.remove(query.get("id"))}


def _clock(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    seconds = given.get("advance", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ControlError(f"advance is {seconds!r}; it must be seconds, not negative")
    world.clock.advance(seconds)
    if given.get("freeze") is True:
        world.clock.freeze()
    elif given.get("freeze") is False:
        world.clock.run()
    return {"time": world.clock.time(), "now": world.clock.now().isoformat(), "frozen": world.clock.frozen}


def _settings(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"settings": world.settings.as_mapping(), "choices": settings.choices()}


def _change_settings(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"settings": world.change_settings(given).as_mapping()}


def _quota(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {
        "month": world.quotas.month(),
        "budget": world.settings.metered_per_month,
        "metered": {client: world.quotas.meter(client).used for client in list(world.quotas.metered)},
    }


def _set_quota(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    for client, used in given.get("used", {}).items():
        if isinstance(used, bool) or not isinstance(used, int) or used < 0:
            raise ControlError(f"used of {client} is {used!r}; it must be a count")
        world.quotas.meter(client).used = used
    if given.get("clear") is True:
        world.quotas.clear()
    limits = {name: value for name, value in given.items() if name not in ("used", "clear")}
    if limits:
        world.change_settings(limits)
    return _quota(world, given, query)


def _reset(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    world.reset(keep_tokens=given.get("keep_tokens") is True)
    return {"companies": list(world.companies)}


def _authorize(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    realm, client = _company(world, given), str(given.get("client_id", ""))
    app = world.authority.app(client, world.settings)
    if app is None:
        raise ControlError(f"there is no app {client!r}")
    code = world.authority.issue_code(
        client_id=client,
        realm=realm,
        redirect_uri=given.get("redirect_uri"),
        scope=str(given.get("scope", ACCOUNTING_SCOPE)),
        settings=world.settings,
    )
    return {"code": code, "realmId": realm}


def _apps(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"apps": [asdict(app) for app in world.authority.apps.values()]}


def _add_app(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    for name in ("client_id", "client_secret"):
        if not isinstance(given.get(name), str) or not given[name]:
            raise ControlError(f"{name} is missing")
    app = App(
        given["client_id"],
        given["client_secret"],
        str(given.get("name", given["client_id"])),
        given.get("redirect_uris", []),
    )
    world.authority.apps[app.client_id] = app
    return asdict(app)


def _companies(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return {"companies": [asdict(company.profile) for company in world.companies.values()]}


def _add_company(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    realm = str(given.get("realm", ""))
    if not realm.isdecimal() or realm in world.companies:
        raise ControlError(f"realm is {realm!r}; it must be digits, and not that of another company")
    like = str(given.get("like", USA))
    if like not in world.companies:
        raise ControlError(f"like is {like!r}; it must be the realm of a company")
    profile = given.get("profile", {})
    known = asdict(world.companies[like].profile)
    unknown = sorted(set(profile) - set(known) | ({"realm"} & set(profile)))
    if unknown:
        raise ControlError(f"a profile has no {', '.join(unknown)}; it can have {', '.join(sorted(known))}")
    company = world.add_company(
        realm=realm, name=str(given.get("name", f"Company {realm}")), like=like, changes=profile
    )
    return asdict(company.profile)


def _bookkeeper(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    company = world.companies[_company(world, given)]
    wanted = {name: value for name, value in given.items() if name != "realm"}
    return {"objects": bookkeeper.edit(company, wanted)}


def _tokens(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    action, realm = given.get("action"), given.get("realm")
    match action:
        case "expire_access":
            return {"expired": world.authority.expire_access(realm=realm, token=given.get("token"))}
        case "rotate":
            return {"rotated": world.authority.rotate_now(realm=realm)}
        case "disconnect":
            grants = list(world.authority.live_grants(realm=realm, client_id=given.get("client_id")))
            for grant in grants:
                world.authority.revoke_grant(grant.id)
            return {"disconnected": len(grants)}
        case _:
            raise ControlError(f"action is {action!r}; it can be one of expire_access, rotate, disconnect")


def _company(world: World, given: dict[str, Any]) -> str:
    realm = str(given.get("realm", ""))
    if realm not in world.companies:
        raise ControlError(f"realm is {realm!r}; there are {', '.join(world.companies)}")
    return realm


def _export(world: World, given: dict[str, Any], query: dict[str, str]) -> Any:
    return world.export()


_Control = Callable[[World, dict[str, Any], dict[str, str]], Any]
_CONTROLS: dict[tuple[str, str], _Control] = {
    ("GET", "state"): _state,
    ("PUT", "state"): _export,
    ("GET", "export"): _export,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget_requests,
    ("GET", "faults"): _rules,
    ("POST", "faults"): _add_rules,
    ("DELETE", "faults"): _remove_rules,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _clock,
    ("GET", "settings"): _settings,
    ("PUT", "settings"): _change_settings,
    ("GET", "quota"): _quota,
    ("POST", "quota"): _set_quota,
    ("POST", "reset"): _reset,
    ("POST", "authorize"): _authorize,
    ("GET", "apps"): _apps,
    ("POST", "apps"): _add_app,
    ("GET", "companies"): _companies,
    ("POST", "companies"): _add_company,
    ("POST", "bookkeeper"): _bookkeeper,
    ("POST", "tokens"): _tokens,
}
