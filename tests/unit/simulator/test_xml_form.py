"""XML out and in: what an answer says in XML can be sent back, and means the same."""

from __future__ import annotations

from xml.etree import ElementTree

import orjson
import pytest

from simulator import CANADA, IRELAND, UK, USA
from simulator.members import catalogue, clean
from simulator.xml_form import NAMESPACE, as_xml, read_batch, read_entity

from .conftest import OpenBooks, line


@pytest.mark.parametrize("realm", [USA, UK, CANADA, IRELAND])
@pytest.mark.parametrize("entity", ["Customer", "Invoice", "CreditMemo", "Preferences", "CompanyInfo", "TaxCode"])
def test_an_answer_in_xml_reads_back_to_the_same_members(open_books: OpenBooks, realm: str, entity: str) -> None:
    books = open_books(realm)
    code = None if realm == USA else "1"
    address = {"Line1": "1 <High> Street & Co", "City": "Lärchton"}
    larch = books.customer('Larch & "Sons"', BillAddr=address, Notes="a\nb")
    job = books.create("Customer", DisplayName="Phase 1", Job=True, ParentRef={"value": larch["Id"]})
    books.invoice(job, line("12.50", code, Qty="2.5", UnitPrice="5"), line(0, code), CustomerMemo={"value": "Thanks"})
    books.memo(job, line(3, code))
    for stored in list(books.company.tables[entity].values()):
        shown = books.company.render(entity, stored)
        (element,) = ElementTree.fromstring(as_xml(orjson.dumps({entity: shown})))
        found, members = read_entity(ElementTree.tostring(element))
        assert found == entity
        # XML cannot say that a list is empty.
        said = {name: value for name, value in shown.items() if value != []}
        assert clean(entity, members) == clean(entity, _without_empty(said))


def _without_empty(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_empty(one) for name, one in value.items() if one != []}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


def test_a_batch_reads_to_the_items_of_its_json_form() -> None:
    body = (
        f'<IntuitBatchRequest xmlns="{NAMESPACE}"><BatchItemRequest bId="1" operation="update" optionsData="void">'
        "<Invoice><Id>4</Id><SyncToken>0</SyncToken></Invoice></BatchItemRequest>"
        '<BatchItemRequest bId="2"><Query>select * from Term</Query></BatchItemRequest></IntuitBatchRequest>'
    )
    assert read_batch(body.encode()) == {
        "BatchItemRequest": [
            {"bId": "1", "operation": "update", "optionsData": "void", "Invoice": {"Id": "4", "SyncToken": "0"}},
            {"bId": "2", "Query": "select * from Term"},
        ]
    }


def test_what_is_repeated_is_a_list_even_when_it_comes_once() -> None:
    _, members = read_entity(b"<Invoice><Line><Amount>1</Amount></Line></Invoice>")
    assert members == {"Line": [{"Amount": "1"}]}
    assert catalogue()["Invoice"]["Line"]["array"]
