"""The HTTP edge: one handler for Intuit's paths, the controls and the pages. Thin: everything it knows is in the world."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import web

from simulator import accounting, audit, books_pages, controls, identity, pages, xml_form
from simulator.accounting import ApiCall
from simulator.execution import Execution
from simulator.faults import gateway_fault, in_lower_case
from simulator.journal import Request
from simulator.reply import HTML, JSON, XML, Reply, json_reply
from simulator.transient import Call
from simulator.trouble import OAUTH_KINDS, Rule
from simulator.world import World

QBO_VERSION = "1956.150"
MAXIMUM_BODY = 16 * 1024 * 1024
_SLOW_STEPS = 20
_WATCH_SECONDS = 0.02
_OUTAGE = "<html><body><h1>503 Service Unavailable</h1></body></html>"


class Edge:
    """Turns requests into calls on the world, and rules into trouble on the wire."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.base_url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        raw, _, query_text = request.raw_path.partition("?")
        path = unquote(raw)
        query = dict(parse_qsl(query_text, keep_blank_values=True))
        body = await _body(request)
        if path.startswith("/_simulator/"):
            return await controls.handle(self.world, request, path, query, body)
        if path in ("/", "/_simulator"):
            return pages.status(self.world, query)
        if path.startswith(books_pages.PREFIX):
            return books_pages.answer(self.world, path, query)
        record = self.world.journal.begin(
            received=self.world.clock.time(),
            method=request.method,
            path=path,
            query=query_text,
            request_body=body,
            intuit_tid=self._tid(),
        )
        try:
            if path.startswith(accounting.PREFIX):
                return await self._api(request, record, query, body)
            return await self._identity(request, record, query, body)
        finally:
            record.finished = self.world.clock.time()
            record.seconds = time.perf_counter() - started

    # --- Accounting API

    async def _api(
        self, request: web.BaseRequest, record: Request, query: dict[str, str], body: bytes
    ) -> web.StreamResponse:
        call = accounting.understand(request.method, record.path, query, body, request.headers.get("Content-Type", ""))
        record.realm, record.entity, record.operation = call.realm, call.entity, call.operation
        record.requestid, record.metering = call.requestid, call.metering
        execution = Execution(self.world, record, call)
        kinds = execution.kinds
        if "outage" in kinds:
            return await self._send(request, record, Reply(503, _OUTAGE.encode(), HTML), kinds)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if "token_death" in kinds:
            self.world.authority.expire_access(token=token)
        refused = self._authorise(record, call, token, request.headers.get("Authorization", ""))
        if refused is None and "throttle" in kinds:
            refused = self._throttled()
        if refused is not None:
            return await self._send(request, record, self._in_form(request, refused), kinds)
        settings = self.world.settings
        if call.reads and self.world.quotas.budget_spent(record.client, settings):
            return await self._send(request, record, self._throttled(), kinds)
        batch = call.operation == "batch"
        if not self.world.quotas.admit(call.realm, record.client, batch=batch, settings=settings):
            return await self._send(request, record, self._throttled(), kinds)
        try:
            reply = await execution.perform()
            if reply.status == 200 and not reply.codes:
                self.world.quotas.count_reads(record.client, call.reads)
            if "lower_case" in kinds and reply.codes and reply.content_type == JSON and not _wants_xml(request):
                reply = self._lower_cased(reply)
            if reply.content_type == JSON and reply.body is not None and _wants_xml(request):
                reply = Reply(reply.status, xml_form.as_xml(reply.body), XML, codes=reply.codes)
            return await self._send(request, record, reply, kinds)
        finally:
            self.world.quotas.finish(call.realm, record.client)

    def _authorise(self, record: Request, call: ApiCall, token: str, header: str) -> Reply | None:
        now = int(self.world.clock.time() * 1000)
        record.token = token
        found = self.world.authority.check(token) if header.startswith("Bearer ") else None
        if found is None:
            known = token in self.world.authority.access_tokens
            detail = f"Token expired: {token[:4]}…" if known else "Malformed bearer token: too short or too long"
            body = gateway_fault("3200", "AuthenticationFailed", detail, "AUTHENTICATION", 401, now)
            headers = {"WWW-Authenticate": 'Bearer realm="Intuit", error="invalid_token"'}
            return json_reply(401, body, headers=headers, codes=("3200",))
        record.client = found.client_id
        audit.act_as(self.world.authority.apps[found.client_id].name)
        grant = self.world.authority.grants[found.grant]
        if found.realm != call.realm or call.realm not in self.world.companies or not identity.accounting_scope(grant):
            body = gateway_fault("3100", "ApplicationAuthorizationFailed", None, "SERVICE", 403, now)
            return json_reply(403, body, codes=("3100",))
        return None

    def _in_form(self, request: web.BaseRequest, refused: Reply) -> Reply:
        """A refusal of the gateway in XML for a client that does not ask for JSON."""
        if refused.content_type != JSON or not _wants_xml(request):
            return refused
        wire = orjson.loads(refused.body or b"{}")
        if "fault" not in wire:
            return Reply(refused.status, xml_form.as_xml(refused.body or b"{}"), XML, refused.headers, refused.codes)
        (error,) = wire["fault"]["error"]
        text = xml_form.gateway_xml(
            error["code"], error["message"], error["detail"], wire["fault"]["type"], self.world.clock.envelope_stamp()
        )
        return Reply(refused.status, text.encode(), XML, refused.headers, refused.codes)

    def _lower_cased(self, reply: Reply) -> Reply:
        body = orjson.loads(reply.body or b"{}")
        if "Fault" not in body:
            return reply
        wire = in_lower_case(body, int(self.world.clock.time() * 1000))
        return Reply(reply.status, orjson.dumps(wire), headers=reply.headers, codes=reply.codes)

    def _throttled(self) -> Reply:
        settings = self.world.settings
        status, code = settings.throttle_status, settings.throttle_code
        message = f"message=ThrottleExceeded; errorCode=003001; statusCode={status}"
        detail = "The request limit was reached.  Try again later"
        headers = {"Retry-After": str(settings.throttle_retry_after)} if settings.throttle_retry_after else None
        match settings.throttle_shape:
            case "gateway":
                body = gateway_fault(
                    "3001", "ThrottleExceeded", detail, "SERVICE", status, int(self.world.clock.time() * 1000)
                )
                body["fault"]["error"][0]["code"] = code
                return json_reply(status, body, headers=headers, codes=(code,))
            case "service":
                one = {"Message": message, "Detail": detail, "code": code}
                wire = {"Fault": {"Error": [one], "type": "SERVICE"}, "time": self.world.clock.envelope_stamp()}
                return json_reply(status, wire, headers=headers, codes=(code,))
            case _:
                text = xml_form.gateway_xml(code, message, detail, "SERVICE", self.world.clock.envelope_stamp())
                return Reply(status, text.encode(), XML, headers, (code,))

    # --- OAuth and everything else

    async def _identity(
        self, request: web.BaseRequest, record: Request, query: dict[str, str], body: bytes
    ) -> web.StreamResponse:
        record.operation = identity.operation(record.path)
        rules = self.world.troubles.striking(Call(operation=record.operation, path=record.path), only=OAUTH_KINDS)
        record.trouble = ",".join(rule.kind for rule in rules)
        kinds: dict[str, Rule] = {rule.kind: rule for rule in rules}
        if "outage" in kinds:
            return await self._send(request, record, Reply(503, _OUTAGE.encode(), HTML), kinds)
        if "http" in kinds:
            text = kinds["http"].body or _OUTAGE
            return await self._send(request, record, Reply(kinds["http"].status, text.encode(), HTML), kinds)
        if "throttle" in kinds:
            return await self._send(request, record, self._throttled(), kinds)
        if "reset_before" in kinds or ("no_answer" in kinds and not kinds["no_answer"].commit):
            return await self._send(request, record, Reply(0, None), kinds)
        reply = await identity.answer(self.world, self.base_url, request, record, query, body, rules)
        return await self._send(request, record, reply, kinds)

    # --- the wire

    async def _send(
        self, request: web.BaseRequest, record: Request, reply: Reply, kinds: dict[str, Rule]
    ) -> web.StreamResponse:
        record.worked = self.world.clock.time()
        record.status, record.codes = reply.status, reply.codes
        record.response_body = reply.body or b""
        if (reply.body is None or "reset_after" in kinds) and "no_answer" not in kinds:
            record.status = 0
            _reset(request)
            return web.Response()
        if "no_answer" in kinds:
            record.status = 0
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(_WATCH_SECONDS)
            return web.Response()
        headers = {
            "Content-Type": reply.content_type,
            "intuit_tid": record.intuit_tid,
            "QBO-Version": QBO_VERSION,
            "Service-Time": "total=12, db=4",
            "Expires": "0",
            "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
            **(reply.headers or {}),
        }
        if "slow" in kinds:
            return await _drip(request, reply, headers, kinds["slow"].seconds)
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    def _tid(self) -> str:
        moment = int(self.world.clock.time())
        return f"1-{moment & 0xFFFFFFFF:08x}-{len(self.world.journal) + 1:024x}"


def _wants_xml(request: web.BaseRequest) -> bool:
    return "json" not in request.headers.get("Accept", "")


async def _body(request: web.BaseRequest) -> bytes:
    return await request.read() if request.body_exists else b""


def _reset(request: web.BaseRequest) -> None:
    """Cut the connection so that the client sees a reset, not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _drip(request: web.BaseRequest, reply: Reply, headers: dict[str, str], seconds: float) -> web.StreamResponse:
    body = reply.body or b""
    response = web.StreamResponse(status=reply.status, headers={**headers, "Content-Length": str(len(body))})
    await response.prepare(request)
    step = max(1, len(body) // _SLOW_STEPS)
    for start in range(0, len(body), step):
        await response.write(body[start : start + step])
        await asyncio.sleep(seconds / _SLOW_STEPS)
    await response.write_eof()
    return response
