from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from mapping.templates import CLIENT_VARIABLES, DOCUMENT_VARIABLES, TemplateProblem, render, validate
from schemas.company import (
    DEFAULT_CLIENT_NAME_TEMPLATE,
    DEFAULT_DOC_NUMBER_TEMPLATE,
    DEFAULT_PROJECT_NAME_TEMPLATE,
)


@pytest.fixture
def variables(make: Any) -> dict[str, object]:
    client = make.client(tags=("port", "public"), extra_data={"PO": "4711"}, notes="A\nB")
    project = make.project(client=client, billing_client=client)
    invoice = make.invoice(project=project, billing_start=dt.date(2025, 2, 1), billing_end=dt.date(2025, 2, 28))
    return {
        "client": client,
        "billing_client": client,
        "project": project,
        "invoice": invoice,
        "org": make.org,
    }


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (DEFAULT_CLIENT_NAME_TEMPLATE, "Harbour Authority"),
        (DEFAULT_PROJECT_NAME_TEMPLATE, "24-0329 Quay wall survey"),
        (DEFAULT_DOC_NUMBER_TEMPLATE, "24-0329-01"),
        ("{{ project.order_confirmation or '' }}", ""),
        ("{{ project.order_confirmation }}", ""),
        ("{{ project.manager.name }}", ""),
        ("{{ invoice.billing_start }} to {{ invoice.billing_end }}", "2025-02-01 to 2025-02-28"),
        ("{{ invoice.billing_start.strftime('%-d %b %Y') }}", "1 Feb 2025"),
        ("{{ invoice.date | date('%d/%m/%Y') }}", "01/03/2025"),
        ("{{ client.name | upper }}", "HARBOUR AUTHORITY"),
        ("{{ client.name.upper() }}", "HARBOUR AUTHORITY"),
        ("{{ client.name[:7] }}", "Harbour"),
        ("{{ client.name | truncate(10, end='…') }}", "Harbour A…"),
        ("{{ client.name | replace('Authority', 'Co') }}", "Harbour Co"),
        ("{{ client.name.split(' ')[0] }}", "Harbour"),
        ("{{ client.tags | join(', ') }}", "port, public"),
        ("{{ client.tags | first }}/{{ client.tags | last }}/{{ client.tags | length }}", "port/public/2"),
        ("{{ client.extra_data.PO }}", "4711"),
        ("{{ client.extra_data['PO'] }}", "4711"),
        ("{{ client.extra_data.get('none', '-') }}", "-"),
        ("{{ client.extra_data.none | default('-') }}", "-"),
        ("{{ 'x' if client.extra_data.none is defined else 'y' }}", "y"),
        ("{{ client.code | default('no code') }}", "no code"),
        ("{{ org.name ~ ' / ' ~ client.name }}", "Tidal Surveys / Harbour Authority"),
        ("{{ org.name + ' / ' + client.name }}", "Tidal Surveys / Harbour Authority"),
        ("{{ invoice.amount_gross }}", "120.00"),
        ("{{ (invoice.amount_net * 0.5) | round(2) }}", "50.00"),
        ("{{ -1 + 3 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 3 / 4 }}", "2 3 3 0.75"),
        ("{{ client.name[-1] }}", "y"),
        ("{{ invoice.type }} {{ invoice.step }}", "INVOICE APPROVED"),
        ("{{ client.address }}", "1 Quay Street, Hull, East Yorkshire, HU1 1AA, United Kingdom"),
        ("{{ client.address.town }}", "Hull"),
        ("{% if client.code %}{{ client.code }}{% elif project %}P{% else %}-{% endif %}", "P"),
        ("{{ 'port' in client.tags }}", "yes"),
        ("  {{ client.name }}\n  {{ org.id }}\t ", "Harbour Authority org-1"),
        ("{{ client.notes }}", "A B"),
        ("{{ invoice.lines[0].quote_item.name }}", "Topographic survey"),
        ("{{ '7'.zfill(3) }}{{ '12' | int + 1 }}", "00713"),
        ("{# note #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("", ""),
    ],
)
def test_gives(variables: dict[str, object], template: str, expected: str) -> None:
    assert render(template, variables, field="DocNumber Template") == expected


def test_a_name_that_looks_like_a_template_comes_out_as_it_is(make: Any) -> None:
    name = "{{ 7 * 7 }}{% for x in y %} <b>&amp;"
    assert render("{{ client.name }}", {"client": make.client(name=name)}, field="f") == name
    assert (
        render("{{ client.name | replace('x', '{{ 1 }}') }}", {"client": make.client(name="x")}, field="f") == "{{ 1 }}"
    )


def test_spaces_within_a_name_stay(make: Any) -> None:
    assert render("{{ client.name }}", {"client": make.client(name=" A  B\u00a0C ")}, field="f") == "A  B\u00a0C"


def test_an_absent_project_is_written_as_nothing(make: Any) -> None:
    assert render("{{ project.reference }}", {"project": None}, field="f") == ""


@pytest.mark.parametrize(
    ("template", "line", "variable", "reason", "remedy"),
    [
        ("{{ client.nmae }}", 1, "client.nmae", "client has no field 'nmae'", "Did you mean 'name'?"),
        ("{{ clinet.name }}", 1, "clinet", "there is no variable 'clinet'", "Did you mean 'client'?"),
        ("\n\n{{ client.name | uper }}", 3, "uper", "there is no filter 'uper'", "Did you mean 'upper'?"),
        ("{{ client.name is odd }}", 1, "odd", "there is no test 'odd'", "Use one of:"),
        ("\n{{ client.name", 2, "", "unexpected end of template", "Correct it"),
        ("{{ client.account_manager.phone }}", 1, "client.account_manager.phone", "has no field", "email, id, name"),
        ("\n{{ client.extra_data.none }}", 2, "", "extra data has no field 'none'", "| default('')"),
        ("{{ client }}", 1, "", "a client cannot be written as it is; name one of its fields", "Correct the"),
        ("{{ client.name }}\n{{ ['a'] }}", 2, "", "use | join(', ')", "Correct the"),
        ("{{ client.tags }}", 1, "", "use | join(', ')", "Correct the"),
        ("{{ client.name.upper }}", 1, "", "upper needs brackets", "Correct the"),
        ("x\n{{ 1 / 0 }}", 2, "", "a division by zero?", "Correct the"),
        ("{{ 1 + client.name }}", 1, "", "+ is not possible between a number and a text; join texts with ~", "Correct"),
        ("{{ client.orgs[7].name }}", 1, "", "a list has no item 7", "| default('')"),
        ("{{ client.name > 3 }}", 1, "", "not supported between", "Correct the"),
        ("{{ client.name | replace('a') }}", 1, "", "replace() missing 1 required", "Correct the"),
    ],
)
def test_a_problem_names_line_variable_and_remedy(
    variables: dict[str, object], template: str, line: int, variable: str, reason: str, remedy: str
) -> None:
    with pytest.raises(TemplateProblem) as raised:
        render(template, variables, field="DocNumber Template")
    problem = raised.value
    assert (problem.field, problem.line, problem.variable) == ("DocNumber Template", line, variable)
    assert reason in problem.reason
    assert remedy in problem.remedy
    assert "object" not in str(problem)
    assert "NoneType" not in str(problem)


def test_a_variable_of_another_template_is_not_there(make: Any) -> None:
    with pytest.raises(TemplateProblem, match=r"there is no variable 'invoice' here. Use one of: client, org"):
        render("{{ invoice.reference }}", {"client": make.client(), "org": make.org}, field="f")


def test_the_admin_form_checks_before_saving() -> None:
    validate("{{ project.order_confirmation or '' }}", DOCUMENT_VARIABLES, field="Custom Field")
    with pytest.raises(TemplateProblem, match="'project'"):
        validate("{{ project.reference }}", CLIENT_VARIABLES, field="Client DisplayName Template")
    with pytest.raises(TemplateProblem, match="referense"):
        validate("{% if false %}{{ invoice.referense }}{% endif %}", DOCUMENT_VARIABLES)


def test_no_number_is_ever_a_float(variables: dict[str, object]) -> None:
    assert render("{{ 0.1 + 0.2 }}", variables, field="f") == "0.3"
    assert render("{{ invoice.amount_net - 99.9 }}", variables, field="f") == "0.10"
    assert Decimal(render("{{ 1 / 3 }}", variables, field="f")) == Decimal(1) / 3
