"""How an accepted call becomes an answer: request ids, the lock on names, and trouble before and after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import orjson

from simulator import accounting, batch, bookkeeper
from simulator.accounting import ApiCall
from simulator.company import Company
from simulator.faults import MESSAGES, SYSTEM_CODES, ApiFault, FaultError, fault, gateway_fault
from simulator.journal import Request
from simulator.members import Object
from simulator.reply import HTML, JSON, Reply, json_reply
from simulator.requestids import Answer, Entry
from simulator.transient import (
    ITEM_KINDS,
    NAME_LISTS,
    NOT_FOUND_PAGE,
    Call,
    fault_of,
    locked,
    requestid_used,
    with_country_codes,
)
from simulator.trouble import KINDS, Rule
from simulator.world import World

_REQUEST_KINDS = tuple(kind for kind in KINDS if kind not in ITEM_KINDS)
_PERMISSION_CODES = ("3100", "120")


class Execution:
    """The work of one call on its company, with the rules that strike it."""

    def __init__(self, world: World, record: Request, call: ApiCall) -> None:
        self.world, self.record, self.call = world, record, call
        self._seen = Call()
        self.rules: list[Rule] = []
        if not world.troubles.quiet:
            self._seen = self._as_seen()
            # What answers for one write strikes a batch item by item, when the item's turn comes.
            kinds = _REQUEST_KINDS if call.operation == "batch" else KINDS
            self.rules = world.troubles.striking(self._seen, only=kinds)
            self._note(self.rules)
        self.kinds: dict[str, Rule] = {rule.kind: rule for rule in self.rules}
        self._refused_lists: frozenset[str] = frozenset()

    def _as_seen(self) -> Call:
        call = self.call
        return Call(
            realm=call.realm,
            entity=call.entity,
            operation=call.operation,
            path=call.path,
            requestid=call.requestid,
            body=call.body,
            repeated=call.operation != "batch" and self._answered(call.requestid),
        )

    def _note(self, rules: Iterable[Rule]) -> None:
        noted = [one for one in self.record.trouble.split(",") if one]
        self.record.trouble = ",".join([*noted, *(rule.kind for rule in rules)])

    async def perform(self) -> Reply:
        """Answer the call, or cut it off; what the request id remembers is the answer, not the trouble."""
        world, call = self.world, self.call
        company = world.companies[call.realm]
        refusal = accounting.check_requestid(call) or _closed_company(company)
        if refusal is not None:
            return _reply(accounting.refusal_answer(company, refusal))
        settings, requestids = world.settings, world.requestids
        if not call.requestid or (call.operation == "batch" and settings.batch_requestid == "item"):
            answer = await self._work(company)
            return self._finished(answer if isinstance(answer, Reply) else _reply(answer))
        mark = accounting.call_fingerprint(call)
        entry = self._entry(call.requestid)
        if entry is not None and entry.answer is None:
            if settings.requestid_in_flight == "600":
                return _reply(accounting.refusal_answer(company, _duplicate(call)))
            if settings.requestid_in_flight == "wait":
                await entry.finished.wait()
                entry = self._entry(call.requestid)
        if entry is not None and entry.answer is not None:
            if entry.fingerprint != mark and settings.requestid_other_body == "600":
                return _reply(accounting.refusal_answer(company, _duplicate(call)))
            if settings.requestid_repeated == "6000" or "requestid_used" in self.kinds:
                return _reply(self._used(company, entry.answer))
            self.record.replayed = True
            return self._finished(_reply(entry.answer))
        entry = requestids.begin(call.realm, call.requestid, mark, retention=settings.requestid_retention_seconds)
        kept: Answer | None = None
        try:
            answer = await self._work(company)
            if isinstance(answer, Answer):
                kept = answer if settings.requestid_replays_faults or not answer.codes else None
        finally:
            requestids.finish(call.realm, call.requestid, entry, kept)
        return self._finished(answer if isinstance(answer, Reply) else _reply(answer))

    # --- request ids

    def _entry(self, requestid: str) -> Entry | None:
        retention = self.world.settings.requestid_retention_seconds
        return self.world.requestids.find(self.call.realm, requestid, retention=retention)

    def _answered(self, requestid: str) -> bool:
        entry = self._entry(requestid) if requestid else None
        return entry is not None and entry.answer is not None

    def _used(self, company: Company, answer: Answer) -> Answer:
        """6000 for a request id that was answered before: the whole call, or each item of a batch."""
        refused = requestid_used()
        if self.call.operation != "batch":
            return accounting.refusal_answer(company, refused)
        body = orjson.loads(answer.body)
        wire = refused.as_wire(company.profile.language)
        body["BatchItemResponse"] = [
            {"Fault": wire, "bId": one["bId"]}
            for one in body.get("BatchItemResponse", [])
            if "QueryResponse" not in one
        ]
        return Answer(answer.status, orjson.dumps(body))

    # --- the work

    async def _work(self, company: Company) -> Answer | Reply:
        """The work itself. A Reply stands for trouble before the commit: such an answer is not remembered."""
        settings = self.world.settings
        if settings.name_lock == "off" or NAME_LISTS.keys().isdisjoint(entities := self.call.writes_to):
            return await self._do(company)
        with self.world.name_locks.taking(self.call.realm, entities) as refused:
            self._refused_lists = refused
            if refused and self.call.operation != "batch":
                return accounting.refusal_answer(company, locked(self.call.entity))
            # While this request is in flight, those that have arrived meet the lock.
            await asyncio.sleep(settings.name_write_milliseconds / 1_000)
            return await self._do(company)

    async def _do(self, company: Company) -> Answer | Reply:
        call, kinds = self.call, self.kinds
        for rule in self.rules:
            if rule.kind == "latency":
                await asyncio.sleep(rule.delay())
            elif rule.kind == "setting":
                bookkeeper.edit(company, {"action": "setting", "setting": rule.setting, "on": rule.on})
        if "reset_before" in kinds or ("no_answer" in kinds and not kinds["no_answer"].commit):
            return Reply(0, None)
        early = self._before_commit(company)
        if early is not None:
            return early
        answer = accounting.execute(company, call, self.world.requestids, item_trouble=self._item)
        self.record.committed = call.writes and not answer.codes
        if "saved_anyway" in kinds and self.record.committed:
            return accounting.refusal_answer(
                company, fault_of("saved_anyway", self._seen, kinds["saved_anyway"].random)
            )
        return answer

    def _before_commit(self, company: Company) -> Reply | None:
        """The first rule that answers in place of the company, if there is one."""
        for rule in self.rules:
            match rule.kind:
                case "http":
                    text = rule.body if rule.body is not None else f"<html><body><h1>{rule.status}</h1></body></html>"
                    return Reply(rule.status, text.encode(), JSON if text.startswith("{") else HTML)
                case "fault":
                    message = rule.message or MESSAGES.get(rule.code, "An error has occurred")
                    status = 500 if rule.code in SYSTEM_CODES else 400
                    made = ApiFault(FaultError(rule.code, message, rule.detail), status=status)
                    return _reply(accounting.refusal_answer(company, made))
                case "not_found_page":
                    return Reply(404, NOT_FOUND_PAGE.encode(), HTML)
                case "server_error":
                    return self._server_error(company, rule)
                case "name_lock" | "try_again" | "bad_email" | "period_closed" | "unsupported":
                    made = fault_of(rule.kind, self._seen, rule.random)
                    return _reply(accounting.refusal_answer(company, made))
        return None

    def _server_error(self, company: Company, rule: Rule) -> Reply:
        """HTTP 500 that carries the code of a lost permission, though nothing is lost."""
        code = rule.code if rule.code in _PERMISSION_CODES else rule.random.choice(_PERMISSION_CODES)
        if code == "3100":
            now = int(self.world.clock.time() * 1000)
            body = gateway_fault(code, "ApplicationAuthorizationFailed", None, "SERVICE", 500, now)
            return json_reply(500, body, codes=(code,))
        detail = "Authorization Failure: -11014-You do not have access to this company."
        made = ApiFault(FaultError(code, MESSAGES[code], detail), status=500, kind="AuthorizationFault")
        return _reply(accounting.refusal_answer(company, made))

    def _item(self, item: batch.Item, *, repeated: bool) -> batch.Trouble:
        """What strikes one item of the batch."""
        call = self.call
        seen = Call(
            realm=call.realm,
            entity=item.queried or item.entity,
            operation=item.operation,
            path=call.path,
            requestid=call.requestid,
            body=b"" if self.world.troubles.quiet else orjson.dumps(item.payload),
            batched=True,
            repeated=repeated,
        )
        struck = self.world.troubles.striking(seen, only=ITEM_KINDS)
        self._note(struck)
        if NAME_LISTS.get(item.entity) in self._refused_lists:
            return batch.Trouble(instead=locked(item.entity))
        if repeated and self.world.settings.requestid_repeated == "6000":
            return batch.Trouble(instead=requestid_used())
        if not struck:
            return batch.Trouble()
        made = fault_of(struck[0].kind, seen, struck[0].random)
        return batch.Trouble(afterwards=made) if struck[0].kind == "saved_anyway" else batch.Trouble(instead=made)

    def _finished(self, reply: Reply) -> Reply:
        if "country_code" not in self.kinds or not reply.body or reply.content_type != JSON:
            return reply
        body: Object = with_country_codes(orjson.loads(reply.body))
        return Reply(reply.status, orjson.dumps(body), headers=reply.headers, codes=reply.codes)


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, answer.body, codes=answer.codes)


def _duplicate(call: ApiCall) -> ApiFault:
    return fault("600", f"Duplicate Request ID : {call.requestid}")


def _closed_company(company: Company) -> ApiFault | None:
    if company.profile.status == "no_access":
        # The person who connected is not an administrator any more.
        detail = "Authorization Failure: -11014-You do not have access to this company."
        return fault("120", detail)
    if company.profile.status == "locked":
        return fault("140", "Company locked out : The company is locked.")
    if company.profile.status == "maintenance":
        return fault("150", "Company under maintenance : Try again later.")
    return None
