"""The XML form of the Accounting API: what Intuit answers unless JSON is asked for, and what its Java SDK writes.

The JSON form is the one that everything else works on. Here it becomes XML and comes back: `domain`, `sparse` and
`status` are attributes, a reference is its value with the name as an attribute, and a fault has its code and element as
attributes (recorded: quickbooks-ruby, spec/fixtures).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import orjson

from simulator.company import BY_PATH
from simulator.faults import ApiFault, fault
from simulator.members import Object, catalogue

NAMESPACE = "http://schema.intuit.com/finance/v3"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
# What is an attribute of the element itself, by the name of the element; of any other, these of an entity.
_ATTRIBUTES = {
    "Fault": ("type",),
    "Error": ("code", "element"),
    "QueryResponse": ("startPosition", "maxResults", "totalCount"),
    "BatchItemResponse": ("bId",),
}
_OF_AN_ENTITY = ("domain", "sparse", "status")
_REFERENCE = {"value", "name", "type"}
_KINDS_OF_TEXT = ("ReferenceType", "MemoRef")


# --- answers


def as_xml(body: bytes) -> bytes:
    """A JSON answer of the service in XML."""
    found: Object = orjson.loads(body)
    inner = "".join(_element(name, value) for name, value in found.items() if name != "time")
    time = f" time={quoteattr(str(found['time']))}" if "time" in found else ""
    return f'{_HEAD}<IntuitResponse xmlns="{NAMESPACE}"{time}>{inner}</IntuitResponse>'.encode()


def gateway_xml(code: str, message: str, detail: str | None, kind: str, time: str) -> str:
    """A fault of the gateway in XML (recorded for the throttle, 2016)."""
    said = f"<Detail>{escape(detail)}</Detail>" if detail is not None else ""
    return (
        f'{_HEAD}<IntuitResponse time={quoteattr(time)} xmlns="{NAMESPACE}"><Fault type={quoteattr(kind)}>'
        f"<Error code={quoteattr(code)}><Message>{escape(message)}</Message>{said}</Error></Fault></IntuitResponse>"
    )


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if value is None:
        return ""
    if not isinstance(value, dict):
        return f"<{name}>{escape(_text(value))}</{name}>"
    if "value" in value and value.keys() <= _REFERENCE:
        others = {key: one for key, one in value.items() if key != "value"}
        return f"<{name}{_attributes(others, others)}>{escape(_text(value['value']))}</{name}>"
    wanted = _ATTRIBUTES.get(name, _OF_AN_ENTITY if "domain" in value else ())
    inner = "".join(_element(key, one) for key, one in value.items() if key not in wanted)
    return f"<{name}{_attributes(value, wanted)}{_definition(name, value)}>{inner}</{name}>"


def _attributes(value: Object, names: Mapping[str, Any] | tuple[str, ...]) -> str:
    return "".join(f" {name}={quoteattr(_text(value[name]))}" for name in names if name in value)


def _definition(name: str, value: Object) -> str:
    """The concrete type of a definition of custom fields, which the schema leaves abstract (recorded: preferences.xml)."""
    if not name.endswith("CustomField") or "CustomField" not in value:
        return ""
    kinds = {one.get("Type") for one in value["CustomField"]}
    kind = f"{kinds.pop()}CustomFieldDefinition"
    return f' xmlns:xsi="{_SCHEMA_INSTANCE}" xsi:type={quoteattr(kind)}'


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- requests


def read_entity(body: bytes) -> tuple[str, Object]:
    """The entity and the members of a body that holds one object.

    :raises ApiFault: 2010 for what is no XML, or no object of the schema.
    """
    root = _parse(body)
    return _name(root), _entity(root)


def read_batch(body: bytes) -> Object:
    """The members of a batch request: each item with its bId, operation and one object, or a query.

    :raises ApiFault: 2010 for what is no XML.
    """
    items: list[Object] = []
    for element in _parse(body):
        item: Object = {_bare(name): value for name, value in element.attrib.items()}
        for inner in element:
            item[_name(inner)] = inner.text or "" if _name(inner) in ("Query", "optionsData") else _entity(inner)
        items.append(item)
    return {"BatchItemRequest": items}


def _parse(body: bytes) -> ElementTree.Element:
    # Entities of a document type can be made to grow without bound; no client of Intuit's has one.
    if b"<!DOCTYPE" in body:
        raise fault("2010", "Property Name:DOCTYPE specified is unsupported or invalid", None)
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - a document type is refused above
    except ElementTree.ParseError as error:
        raise fault("2010", f"Property Name:{error} specified is unsupported or invalid", None) from None


def _entity(element: ElementTree.Element) -> Object:
    entity = BY_PATH.get(_name(element).lower())
    if entity is None or entity != _name(element):
        raise _unknown(_name(element))
    return _members(entity, element)


def _members(schema: str, element: ElementTree.Element) -> Object:
    """The members of an element in JSON's form. Scalars stay text: the schema reads them either way."""
    known = catalogue()[schema]
    members: Object = {}
    for name, value in element.attrib.items():
        if _bare(name) in known:
            members[_bare(name)] = {"true": True, "false": False}.get(value, value)
    for inner in element:
        name = _name(inner)
        kind = known.get(name)
        if kind is None:
            raise _unknown(name)
        value = _value(kind, inner)
        if kind.get("array"):
            members.setdefault(name, []).append(value)
        else:
            members[name] = value
    return members


def _value(kind: Mapping[str, Any], element: ElementTree.Element) -> Any:
    reference = kind.get("ref")
    if reference is None:
        return element.text or ""
    if reference in _KINDS_OF_TEXT and not len(element):
        attributes = {_bare(name): value for name, value in element.attrib.items() if _bare(name) in _REFERENCE}
        return {"value": element.text or "", **attributes}
    return _members(reference, element)


def _name(element: ElementTree.Element) -> str:
    return _bare(element.tag)


def _bare(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _unknown(name: str) -> ApiFault:
    return fault("2010", f"Property Name:Unrecognized field {name[:200]} specified is unsupported or invalid", None)
