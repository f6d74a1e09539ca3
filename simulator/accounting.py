"""The Accounting API without its transport: a path, a query string and a body in; a status and a body out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from simulator import batch, currencies, selection, xml_form
from simulator.batch import ItemTrouble
from simulator.changes_since import changed_since
from simulator.company import BY_PATH, SINGLETONS, Company
from simulator.faults import ApiFault, fault, unsupported
from simulator.members import Object
from simulator.operations import Write, read, read_singleton, write
from simulator.quota import CORE, CORE_PLUS
from simulator.requestids import (
    MAXIMUM_BATCH_LENGTH,
    MAXIMUM_LENGTH,
    Answer,
    RequestIds,
    fingerprint,
)

PREFIX = "/v3/company/"
_FROM = re.compile(rb"\bfrom\s+(\w+)", re.IGNORECASE)
_TEXT_TYPES = ("application/text", "text/plain")
_XML_TYPES = ("application/xml", "text/xml")


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One call as the edge understood it. `operation` is one of create, update, void, delete, read, query, batch, cdc.

    What is worked out of it is kept: the edge, the quotas, the request ids and the lock on names all ask.
    """

    method: str
    path: str
    realm: str
    operation: str
    entity: str = ""
    identifier: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    payload: Any = None
    content_type: str = ""
    refusal: ApiFault | None = None
    """What is wrong with it before any company is asked; it is raised when the call is executed."""

    @cached_property
    def writes(self) -> bool:
        return self.operation in ("create", "update", "void", "delete", "batch")

    @cached_property
    def metering(self) -> str:
        return CORE if self.writes else CORE_PLUS

    @cached_property
    def reads(self) -> int:
        """How many metered reads the call is: the queries of a batch count each."""
        if self.operation != "batch":
            return 0 if self.writes else 1
        items = self.payload.get("BatchItemRequest") if isinstance(self.payload, dict) else None
        return sum(isinstance(one, dict) and "Query" in one for one in items) if isinstance(items, list) else 0

    @cached_property
    def writes_to(self) -> set[str]:
        """The entities that it writes to: those of a batch's items, for a batch."""
        if self.operation != "batch":
            return {self.entity} if self.writes else set()
        items = self.payload.get("BatchItemRequest") if isinstance(self.payload, dict) else None
        named = (name for one in (items if isinstance(items, list) else []) if isinstance(one, dict) for name in one)
        return {name for name in named if name.lower() in BY_PATH}

    @cached_property
    def requestid(self) -> str:
        return self.query.get("requestid", "") if self.writes else ""


def understand(method: str, path: str, query: Mapping[str, str], body: bytes, content_type: str) -> ApiCall:
    """Read the path below `/v3/company/`; never raises: what cannot be understood carries its refusal."""
    realm, _, rest = path.removeprefix(PREFIX).partition("/")
    parts = [part for part in rest.split("/") if part]
    first = parts[0].lower() if parts else ""
    made: dict[str, Any] = {
        "method": method,
        "path": path,
        "realm": realm,
        "query": query,
        "body": body,
        "content_type": content_type.partition(";")[0].strip().lower(),
    }
    if first == "query" and len(parts) == 1 and method in ("GET", "POST"):
        text = body if method == "POST" else query.get("query", "").encode()
        found = _FROM.search(text)
        return ApiCall(**made, operation="query", entity=_entity(found.group(1).decode() if found else ""))
    if first == "batch" and len(parts) == 1 and method == "POST":
        return _with_payload(made, "batch", "")
    if first == "cdc" and len(parts) == 1 and method == "GET":
        return ApiCall(**made, operation="cdc")
    if first == currencies.ENTITY.lower() and len(parts) == 1 and method == "GET":
        return ApiCall(**made, operation="read", entity=currencies.ENTITY)
    entity = BY_PATH.get(first)
    if entity is not None and method == "GET" and (len(parts) == 2 or (entity in SINGLETONS and len(parts) == 1)):
        return ApiCall(**made, operation="read", entity=entity, identifier=parts[1] if len(parts) == 2 else "")
    if entity is not None and method == "POST" and len(parts) == 1:
        return _with_payload(made, _operation(query), entity)
    return ApiCall(**made, operation="unknown", refusal=unsupported(path))


def _entity(name: str) -> str:
    return BY_PATH.get(name.lower(), name)


def _operation(query: Mapping[str, str]) -> str:
    wanted = query.get("operation", "").lower()
    if query.get("include", "").lower() == "void" and wanted in ("", "update"):
        return "void"
    return wanted or "save"


def _with_payload(made: dict[str, Any], operation: str, entity: str) -> ApiCall:
    refusal: ApiFault | None = None
    payload: Any = None
    body = made["body"]
    if operation not in ("save", "create", "update", "void", "delete", "batch"):
        refusal = fault("500", f"Unsupported Operation : Operation {operation[:50]} is not supported.")
    kind = made["content_type"]
    try:
        payload = _read(body, kind, operation, entity)
    except ApiFault as unreadable:
        refusal = unreadable
    if operation == "save":
        identified = isinstance(payload, dict) and payload.get("Id") not in (None, "")
        operation = "update" if identified else "create"
    if kind not in ("application/json", "", *_XML_TYPES):
        refusal = fault("500", f"Unsupported Operation : Content type {kind[:60]} is not supported.")
    return ApiCall(**made, operation=operation, entity=entity, payload=payload, refusal=refusal)


def _read(body: bytes, content_type: str, operation: str, entity: str) -> Any:
    """The body's members, from JSON or from XML.

    :raises ApiFault: 2310 for nothing; 2010 for bytes that are not UTF-8, what cannot be read, or XML of another entity.
    """
    if not body.strip():
        raise fault("2310", "ObjectParserError: Request Body is Empty")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _not_utf_8(error) from None
    if content_type in _XML_TYPES:
        if operation == "batch":
            return xml_form.read_batch(body)
        found, members = xml_form.read_entity(body)
        if found != entity:
            raise fault("2010", f"Property Name:{found[:200]} specified is unsupported or invalid")
        return members
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise fault("2010", f"Property Name:{error} specified is unsupported or invalid") from None


def _not_utf_8(error: UnicodeDecodeError) -> ApiFault:
    """2010 in the words that Intuit's sandbox had for it in March 2022 (Java SDK issue 181)."""
    place, kind = (error.end, "middle") if "continuation" in error.reason else (error.start, "start")
    return fault(
        "2010",
        f"Property Name:Invalid UTF-8 {kind} byte {hex(error.object[min(place, len(error.object) - 1)])} "
        "specified is unsupported or invalid",
    )


def check_requestid(call: ApiCall) -> ApiFault | None:
    """The fault for a request id that is not one, if there is one."""
    if not call.writes or "requestid" not in call.query:
        return None
    limit = MAXIMUM_BATCH_LENGTH if call.operation == "batch" else MAXIMUM_LENGTH
    if 0 < len(call.requestid) <= limit:
        return None
    return fault("2130", f"Invalid Request Id Format : Supplied value:{call.requestid[:100]}")


def call_fingerprint(call: ApiCall) -> bytes:
    """What makes two calls the same but for their request id."""
    options = "&".join(f"{key}={call.query[key]}" for key in ("operation", "include") if key in call.query)
    return fingerprint(call.method.encode(), call.path.encode(), options.encode(), call.body)


def execute(
    company: Company, call: ApiCall, requestids: RequestIds, *, item_trouble: ItemTrouble = batch.no_trouble
) -> Answer:
    """Do what the call asks, and make the answer. A fault is an answer. `item_trouble` strikes the items of a batch."""
    try:
        if call.refusal is not None:
            raise call.refusal
        body = _perform(company, call, requestids, item_trouble)
    except ApiFault as refused:
        return refusal_answer(company, refused)
    body["time"] = company.clock.envelope_stamp()
    return Answer(200, orjson.dumps(body))


def refusal_answer(company: Company, refused: ApiFault) -> Answer:
    body: Object = {"Fault": refused.as_wire(company.profile.language)}
    if refused.timed:
        body["time"] = company.clock.envelope_stamp()
    status = refused.status
    if status == 400 and refused.kind == "ValidationFault":
        status = company.settings.validation_fault_status
    return Answer(status, orjson.dumps(body), refused.codes)


def _perform(company: Company, call: ApiCall, requestids: RequestIds, item_trouble: ItemTrouble) -> Object:
    match call.operation:
        case "query":
            return {"QueryResponse": selection.run(company, _query_text(call, company))}
        case "read":
            if call.entity in SINGLETONS:
                if call.identifier and call.entity == "CompanyInfo" and call.identifier not in (call.realm, "1"):
                    raise fault("610", "Object Not Found : CompanyInfo")
                return {call.entity: read_singleton(company, call.entity)}
            if call.entity == currencies.ENTITY:
                query = {name.lower(): value for name, value in call.query.items()}
                return {
                    call.entity: currencies.read_rate(
                        company, query.get("sourcecurrencycode", ""), query.get("asofdate", "")
                    )
                }
            return {call.entity: read(company, call.entity, call.identifier)}
        case "cdc":
            return changed_since(company, call.query.get("entities", ""), call.query.get("changedSince", ""))
        case "batch":
            return _batch(company, call, requestids, item_trouble)
        case _:
            include = call.query.get("include", "").lower().split(",")
            request = Write(
                entity=call.entity,
                operation=call.operation,
                payload=call.payload,
                allow_duplicate_number="allowduplicatedocnum" in include,
            )
            return {call.entity: write(company, request)}


def _query_text(call: ApiCall, company: Company) -> str:
    if call.method == "GET":
        if len(call.query.get("query", "")) > company.settings.query_url_limit:
            raise fault("500", "Unsupported Operation : The request URI is too long.")
        return call.query.get("query", "")
    if call.content_type not in _TEXT_TYPES:
        raise fault(
            "500", f"Unsupported Operation : Content type {call.content_type[:60]} is not supported for a query."
        )
    try:
        return call.body.decode()
    except UnicodeDecodeError:
        raise fault("500", "Unsupported Operation : The body is not UTF-8.") from None


def _batch(company: Company, call: ApiCall, requestids: RequestIds, item_trouble: ItemTrouble) -> Object:
    settings = company.settings

    def remember(item: batch.Item, run: Any) -> Object:
        if not call.requestid or item.operation == "query":
            return item_trouble(item, repeated=False).around(company, run)
        key = f"{call.requestid}{item.bid}"
        mark = fingerprint(item.operation.encode(), item.entity.encode(), orjson.dumps(item.payload))
        entry = requestids.find(call.realm, key, retention=settings.requestid_retention_seconds)
        if entry is not None and entry.answer is not None:
            if entry.fingerprint != mark and settings.requestid_other_body == "600":
                return {"Fault": fault("600", f"Duplicate Request ID : {key}").as_wire(company.profile.language)}
            struck = item_trouble(item, repeated=True)
            replayed = dict(orjson.loads(entry.answer.body))
            return replayed if struck.instead is None else struck.around(company, run)
        struck = item_trouble(item, repeated=False)
        if struck.instead is not None:
            # Trouble before the commit leaves no trace of the request id.
            return struck.around(company, run)
        entry = requestids.begin(call.realm, key, mark, retention=settings.requestid_retention_seconds)
        answer = struck.around(company, run)
        keep = settings.requestid_replays_faults or "Fault" not in answer
        requestids.finish(call.realm, key, entry, Answer(200, orjson.dumps(answer)) if keep else None)
        return answer

    return batch.run(company, call.payload, requestid=call.requestid, remember=remember)
