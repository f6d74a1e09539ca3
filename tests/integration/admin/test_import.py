"""Imports of mappings: named by id or name, what Excel makes of ids, duplicates, the template, and no input that is too much."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.mapping_files import COLUMNS
from admin.quickbooks_online.models import Department, DepartmentClass, ItemService, Service, TaxCodeVatRate
from schemas.events import OrgRef
from simulator import CANADA, UK, USA
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
OTHERS = ((CANADA, "org-ca", "Northern Survey Inc"), (USA, "org-us", "Prairie Design LLC"))


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def three(section: Section) -> None:
    """Orgs of three locales, each with an invoice and nothing mapped."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.ingest(event(invoice("i1")))
    for realm, org, name in OTHERS:
        pipeline.link(org, name, realm=realm)
        pipeline.ingest(event(invoice(f"i-{org}", org=OrgRef(org, name))))


def imported(ada: Client, table: str, text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    upload = SimpleUploadedFile("map.csv", content, content_type="text/csv")
    return words(ada.post(f"{ROOT}{table}/import/", {"file": upload}, follow=True))


def test_orgs_and_both_sides_by_name(ada: Client, three: None) -> None:
    text = "ORG;Service;Item\r\nMeridian Geomatics Ltd;lidar;design\r\norg-ca;LiDAR;Services\r\nprairie design llc;LiDAR;Services\r\n"
    page = imported(ada, "itemservice", text.encode("utf-16"))
    assert "Imported: 3 added, 0 changed." in page, page[:2000]
    assert {row.realm_id for row in ItemService.objects.all()} == {UK, CANADA, USA}


def test_a_workbook_is_imported_as_a_csv_is(ada: Client, three: None) -> None:
    template = ada.get(f"{ROOT}itemservice/template/?as=xlsx")
    assert template["Content-Disposition"] == 'attachment; filename="item-services-template.xlsx"'
    book = load_workbook(BytesIO(template.content))
    sheet = book.active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]] == list(COLUMNS[ItemService])
    assert [sheet.cell(row, 1).value for row in (2, 3, 4)] == ["org-uk", "org-ca", "org-us"]
    for row, item in ((2, "Design"), (3, "Services"), (4, "Nothing of the kind")):
        sheet.cell(row, COLUMNS[ItemService].index("item") + 1).value = item
    refused = imported(ada, "itemservice", saved(book))
    assert "Line 4: QuickBooks has no item 'Nothing of the kind'" in refused
    assert not ItemService.objects.exists()
    sheet.cell(4, COLUMNS[ItemService].index("item") + 1).value = "Services"
    assert "Imported: 3 added, 0 changed." in imported(ada, "itemservice", saved(book))
    again = ada.get(f"{ROOT}itemservice/export/?as=xlsx").content
    assert "Imported: 0 added, 0 changed." in imported(ada, "itemservice", again)


def saved(book: Workbook) -> bytes:
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_name_decides_where_excel_rounded_the_id(ada: Client, three: None) -> None:
    (structures,) = [one for one in any_listing(UK, "classes").entries if one.name == "Structures"]
    assert len(structures.id) > 15
    head, name = "org,department,class_id,class\n", Department.objects.get(org_id="org-uk").name
    assert "1 added" in imported(ada, "departmentclass", f"{head}org-uk,{name},5E+18,Structures\n")
    assert DepartmentClass.objects.get().class_id == structures.id
    refused = imported(ada, "departmentclass", f"{head}org-uk,{name},5E+18,\n")
    assert "Line 2: the spreadsheet made '5E+18' of the id of the class: name the class" in refused


def test_an_id_and_another_things_name_are_refused(ada: Client, three: None) -> None:
    text = "org,service,item_id,item\norg-uk,LiDAR,2,Engineering\n"
    assert "Line 2: the item id 2 is 'Design' in QuickBooks, but the row names 'Engineering'" in imported(
        ada, "itemservice", text
    )
    # A name that nothing has any more is a former one: the id decides.
    assert "1 added" in imported(ada, "itemservice", text.replace("Engineering", "Drawing office"))


def test_duplicates_are_named_by_their_lines(ada: Client, three: None) -> None:
    text = 'org,service,item\norg-uk,LiDAR,"Design"\n\norg-uk,lidar,Engineering\n'
    assert "Line 4: it maps the same as line 2: keep one of them." in imported(ada, "itemservice", text)
    assert not ItemService.objects.exists()


def test_two_orgs_of_one_name_are_told_apart_by_id(section: Section, ada: Client, three: None) -> None:
    section.pipeline.ingest(event(invoice("i9", org=OrgRef("org-ca", "Meridian Geomatics Ltd"))))
    with section.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_org SET name = 'Meridian Geomatics Ltd' WHERE id = 'org-ca'")
    text = "org,service,item\nMeridian Geomatics Ltd,LiDAR,Design\n"
    assert "more than one Org is called 'Meridian Geomatics Ltd': name it by its id" in imported(
        ada, "itemservice", text
    )


def test_a_template_filled_in_is_imported(ada: Client, three: None) -> None:
    text = ada.get(f"{ROOT}taxcodevatrate/template/?configuration__id__exact=1").content.decode("utf-8-sig")
    assert text.splitlines() == [",".join(COLUMNS[TaxCodeVatRate]), "org-uk,vat-20,Standard 20 %,,"]
    everything = ada.get(f"{ROOT}taxcodevatrate/template/").content.decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in everything] == ["org", "org-uk", "org-ca", "org-us"]
    # By the name that QuickBooks shows, without the rate.
    filled = text.replace(",,", ",,20.0% S")
    assert "1 added" in imported(ada, "taxcodevatrate", filled)
    again = ada.get(f"{ROOT}taxcodevatrate/export/?configuration__id__exact=1").content
    assert "Imported: 0 added, 0 changed." in imported(ada, "taxcodevatrate", again)
    fields = ada.get(f"{ROOT}customfield/template/?configuration__id__exact=1").content.decode("utf-8-sig")
    assert fields.splitlines()[0] == ",".join(COLUMNS[type_of("customfield")])
    assert len(fields.splitlines()) > 1


def type_of(table: str) -> type:
    return next(model for model in COLUMNS if model._meta.model_name == table)


def test_no_input_ends_in_an_error_of_the_server(ada: Client, three: None) -> None:
    cell = st.sampled_from(
        ["org-uk", "Org-UK", "LiDAR", "2", "5E+18", "", "'", '"', "{{", "vat-20", "x" * 300]
    ) | st.text(max_size=8)
    table = st.sampled_from(list(COLUMNS))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(table, st.lists(st.lists(cell, max_size=9), max_size=4), st.sampled_from(",;\t"), st.binary(max_size=30))
    def uploads(model: type, rows: list[list[str]], separator: str, after: bytes) -> None:
        lines = [separator.join(COLUMNS[model]), *(separator.join(row) for row in rows)]
        content = "\r\n".join(lines).encode("utf-8", "replace") + after
        page = imported(ada, str(model._meta.model_name), content)  # type: ignore[attr-defined]
        assert "Nothing was imported" in page or "Imported:" in page or "Choose a file first" in page

    uploads()
    assert Service.objects.exists()
