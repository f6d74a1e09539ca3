"""The custom fields of sales forms: which are in use, and what a document may hold in them."""

from __future__ import annotations

from simulator.company import Company
from simulator.faults import fault
from simulator.members import Object


def definitions(company: Company) -> list[dict[str, str]]:
    """[{Id, Name}] of the sales form fields in use, as Preferences names them (`SalesFormsPrefs.SalesCustomName1` …)."""
    found = []
    for field in company.preference("SalesFormsPrefs", "CustomField") or []:
        for one in field.get("CustomField", []):
            name = one.get("Name", "")
            if name.startswith("SalesFormsPrefs.SalesCustomName") and one.get("StringValue"):
                found.append({"Id": name[-1], "Name": one["StringValue"]})
    return found


def in_use(company: Company, fields: list[Object]) -> list[Object]:
    """The fields of a stored document that are still in use: one that was switched off hurts only a request that sends it."""
    known = {one["Id"] for one in definitions(company)}
    return [one for one in fields if str(one.get("DefinitionId", "")) in known]


def put_custom_fields(company: Company, members: Object) -> None:
    """Check the custom fields, and show every one in use.

    :raises ApiFault: 3000 for a field that is not in use or no text, 2050 for a value that is too long.
    """
    known = {one["Id"]: one["Name"] for one in definitions(company)}
    values: dict[str, str] = {}
    for sent in members.pop("CustomField", []):
        identifier = str(sent.get("DefinitionId", ""))
        if identifier not in known or sent.get("Type", "StringType") != "StringType":
            raise fault("3000", f"Invalid Custom Field : DefinitionId {identifier[:30]} is not a text field in use")
        value = sent.get("StringValue", "")
        if len(value) > company.settings.custom_field_length:
            raise fault(
                "2050",
                "String length specified does not match the supported length. "
                f"Min:0 Max:{company.settings.custom_field_length:,} supported. Supplied length:{len(value):,}",
                "StringValue",
            )
        values[identifier] = value
    shown: list[Object] = []
    for identifier, name in known.items():
        shown.append({"DefinitionId": identifier, "Name": name, "Type": "StringType"})
        if values.get(identifier):
            shown[-1]["StringValue"] = values[identifier]
    members["CustomField"] = shown
