"""Names and messages are text on every page: to a browser, and to SQL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from tests.admin_story_light import full_house
from tests.builders import client, event
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_permissions import PAGES, address

NASTY = """<b onclick="x">Ha'rb"our</b>'; DROP TABLE qbo_failure; --"""
COLUMNS = {
    "qbo_org": ("name",),
    "qbo_link": ("reference", "reason"),
    "qbo_failure": ("reference", "message", "remedy", "value"),
    "qbo_connection": ("company_name",),
    "qbo_service": ("name",),
    "qbo_department": ("name",),
    "qbo_vat_rate": ("name",),
    "qbo_item_service": ("item_name",),
    "qbo_department_class": ("class_name",),
    "qbo_tax_code_vat_rate": ("tax_code_name",),
    "qbo_custom_field": ("name", "template"),
    "qbo_history": ("message",),
}


def test_a_name_is_no_html_and_no_sql_on_any_page(section: Section) -> None:
    ids = full_house(section.pipeline)
    section.pipeline.ingest(event(client("c9", name=NASTY)))
    section.pipeline.drive()
    with section.pipeline.engine.begin() as db:
        for table, columns in COLUMNS.items():
            for column in columns:
                db.execute(text(f"UPDATE {table} SET {column} = :nasty"), {"nasty": NASTY})
    ada = section.person(is_superuser=True)
    shown = set()
    for page in PAGES:
        if page.method == "POST" or page.path.endswith("/export/"):
            continue
        answer = ada.get(address(page, ids))
        assert answer.status_code == 200, page.id
        if answer["Content-Type"].startswith("text/html"):
            assert b"<b onclick" not in answer.content, page.id
        if NASTY in words(answer):
            shown.add(page.path)
    assert {
        "configuration/",
        "customer/",
        "invoice/1/change/",
        "failure/",
        "failure/1/change/",
        "itemservice/",
    } <= shown
    found = ada.get("/admin/quickbooks_online/customer/", {"q": NASTY})
    assert NASTY in words(found)
    assert [row.message for row in section.pipeline.rows("qbo_failure")] == [NASTY]


def test_no_script_of_ours_makes_html_of_what_it_is_given() -> None:
    scripts = list((Path(__file__).parents[3] / "admin").rglob("*.js"))
    assert scripts
    for script in scripts:
        written = script.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
            assert way not in written, f"{script.name}: {way}"
