"""An Org with a history: clients, projects and invoices in every state, for screenshots and for tests that need a full house."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from demo.command import sample_events, sample_file
from demo.linking import authorize, names_by_org, sender, set_up
from demo.orgs import DEMO_ORGS
from qbo_client.environment import environment_for
from qbo_client.oauth import OAuthApp
from schemas.events import (
    Address,
    Client,
    Department,
    Invoice,
    InvoiceType,
    Kind,
    OrgRef,
    Project,
    Service,
    Step,
    VatRate,
)
from schemas.jsonlines import record_from_json
from simulator import UK, bookkeeper
from tests.admin_site import CLIENT_ID, Site
from tests.builders import client, event, invoice, line, project

ORG = OrgRef("org-uk", "Meridian Geomatics Ltd")
TODAY = dt.datetime.now(dt.UTC).date()
SCANNING = Department("dep-1", "Scanning")
SURVEY = Department("dep-2", "Land survey")
SERVICES = {
    "lidar": Service("svc-lidar", "LiDAR", SCANNING),
    "cloud": Service("svc-cloud", "Point cloud processing", SCANNING),
    "topo": Service("svc-topo", "Topographic survey", SURVEY),
    "setout": Service("svc-setout", "Setting out", SURVEY),
}
STANDARD = VatRate("vat-20", "Standard", Decimal("20"))
REDUCED = VatRate("vat-5", "Reduced", Decimal("5"))
ZERO = VatRate("vat-0", "Zero rated", Decimal("0"))

_CLIENTS = (
    ("harbour", "Harbour & Sons", "Bristol"),
    ("northgate", "Northgate Rail Alliance", "York"),
    ("abbey", "Abbey Land Partnership", "Bath"),
    ("tyne", "Tyne Bridges Trust", "Newcastle"),
    ("orchard", "Orchard Homes: Phase 2 Ltd", "Taunton"),
)


def clients() -> dict[str, Client]:
    return {
        key: client(
            f"c-{key}",
            name=name,
            org=ORG,
            accounts_email=f"accounts@{key}.example",
            address=Address("1 Station Road", town, "AB1 2CD", "United Kingdom"),
        )
        for key, name, town in _CLIENTS
    }


def projects(people: dict[str, Client]) -> dict[str, Project]:
    titles = {
        "harbour": ("24-0329", "Quay wall monitoring"),
        "northgate": ("24-0341", "Viaduct scan"),
        "abbey": ("24-0352", "Boundary survey"),
        "tyne": ("24-0360", "Bearing inspection"),
        "orchard": ("24-0371", "Site set-out"),
    }
    return {
        key: project(
            f"p-{key}", of=people[key], org=ORG, reference=reference, name=name, order_confirmation=f"PO-{i}77"
        )
        for i, (key, (reference, name)) in enumerate(titles.items(), start=4)
    }


def tell(site: Site) -> None:
    """Send Kompass's events, push what can be pushed, and leave some of it in every kind of trouble."""
    pipeline = site.pipeline()
    people = clients()
    jobs = projects(people)
    pipeline.link("org-uk", ORG.name, realm=UK)
    site.sql(
        "UPDATE qbo_configuration SET notification_recipients = '{ada@example.com,books@example.com}', start_date = %s",
        TODAY.replace(month=1, day=1),
    )
    site.sql("UPDATE qbo_connection SET company_name = 'Larch Design Ltd'")
    pipeline.map_vat_rate("vat-20", "20.0% S")
    site.sql("UPDATE qbo_vat_rate SET name = 'Standard', rate = 20 WHERE kompass_id = 'vat-20'")

    def bill(number: int, key: str, *lines: object, days: int = 10, **more: object) -> None:
        pipeline.ingest(
            event(
                invoice(
                    f"i-{number}",
                    of=jobs[key],
                    org=ORG,
                    lines=lines,  # type: ignore[arg-type]
                    reference=f"{jobs[key].reference}-{number:02}",
                    date=TODAY - dt.timedelta(days=days),
                    due_date=TODAY + dt.timedelta(days=30 - days),
                    **more,  # type: ignore[arg-type]
                )
            )
        )

    lidar, cloud, topo, setout = (SERVICES[key] for key in ("lidar", "cloud", "topo", "setout"))
    bill(
        1,
        "harbour",
        line("4200.00", vat=STANDARD, service=lidar),
        line("860.50", vat=STANDARD, service=cloud, position=2),
    )
    bill(2, "northgate", line("12750.00", vat=STANDARD, service=lidar), days=25)
    bill(3, "abbey", line("1980.00", vat=STANDARD, service=topo), days=40)
    bill(4, "tyne", line("640.00", vat=STANDARD, service=setout), days=5)
    bill(5, "harbour", line("-500.00", vat=STANDARD, service=lidar), days=3)
    pipeline.drive()
    bill(6, "abbey", line("2400.00", vat=REDUCED, service=topo), days=4)
    bill(7, "northgate", line("990.00", vat=REDUCED, service=topo), days=4)
    bill(8, "tyne", line("310.00", vat=ZERO, service=setout), days=2)
    bill(9, "orchard", line("7300.00", vat=STANDARD, service=setout), days=2)
    bill(10, "harbour", line("150.00", vat=STANDARD, service=lidar), step=Step.SUBMITTED, days=1)
    bill(11, "abbey", line("0.00", vat=STANDARD, service=topo), type=InvoiceType.JOURNAL, days=1)
    pipeline.drive()
    _bookkeeper_and_kompass(site, jobs["northgate"], lidar)
    pipeline.drive()


def _bookkeeper_and_kompass(site: Site, job: Project, lidar: Service) -> None:
    """A bookkeeper changes an amount in QuickBooks, then Kompass changes it too."""
    pipeline = site.pipeline()
    (document,) = [one for one in pipeline.objects("Invoice") if one["DocNumber"] == "24-0341-02"]

    def edit(world: object) -> None:
        lines = [dict(one) for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
        lines[0]["Amount"] = 12000
        lines[0]["SalesItemLineDetail"] = {
            key: value for key, value in lines[0]["SalesItemLineDetail"].items() if key not in ("Qty", "UnitPrice")
        }
        bookkeeper.edit(
            world.companies[UK],  # type: ignore[attr-defined]
            {"action": "update", "entity": "Invoice", "id": document["Id"], "members": {"Line": lines}},
        )

    site.simulator.call(edit)
    pipeline.ingest(
        event(
            invoice(
                "i-2",
                sequence=2,
                of=job,
                org=ORG,
                lines=(line("13000.00", vat=STANDARD, service=lidar),),
                reference="24-0341-02",
                date=TODAY - dt.timedelta(days=25),
                due_date=TODAY + dt.timedelta(days=5),
            )
        )
    )


def typed_before(site: Site) -> None:
    """A bookkeeper typed two customers before the company was linked. Kompass has them too; one is spelled in another way."""
    ((org_id, name),) = site.sql(
        "SELECT o.id, o.name FROM qbo_org o JOIN qbo_configuration c ON c.org_id = o.id WHERE c.realm_id = %s", UK
    )
    both = (("c-quarry", "Quarry & Sons Ltd", "Quarry & Sons Ltd"), ("c-ferry", "Ferry Lane Ltd", "FERRY LANE LIMITED"))
    for kompass_id, ours, theirs in both:
        wanted = {"action": "create", "entity": "Customer", "members": {"DisplayName": theirs}}
        site.simulator.call(lambda world, wanted=wanted: bookkeeper.edit(world.companies[UK], wanted))
        site.pipeline().ingest(event(client(kompass_id, name=ours, org=OrgRef(org_id, name))))


def tell_demo(site: Site) -> None:
    """The demo's Orgs and events, all of them pushed, and one conflict with a bookkeeper."""
    pipeline = site.pipeline()
    events = sample_events(sample_file())
    names = names_by_org(events)
    intuit = environment_for(site.simulator.base_url)
    app = OAuthApp(intuit, CLIENT_ID, site.environ["INTUIT_CLIENT_SECRET"])
    for rules in DEMO_ORGS:
        tokens = authorize(
            site.simulator.base_url,
            app,
            client_id=CLIENT_ID,
            realm_id=rules.realm_id,
            redirect_uri=f"{site.url}/admin/quickbooks_online/configuration/callback/",
        )
        set_up(
            pipeline.engine,
            pipeline.keys,
            rules=rules,
            names=names[rules.org_id],
            tokens=tokens,
            send=sender(pipeline.transport, rules.realm_id, tokens.access_token),
            recipients=[f"accounts@{rules.org_id}.example"],
        )
        pipeline.jobs.prepare(rules.org_id, rules.realm_id)
    app.close()
    pipeline.ingest(*events)
    pipeline.drive(rounds=300)
    _edit_by_hand(site)
    pipeline.drive(rounds=300)
    typed_before(site)


def _edit_by_hand(site: Site) -> None:
    """A bookkeeper changes an amount of a sent invoice in QuickBooks; then Kompass changes it too."""
    pipeline = site.pipeline()
    body, qbo_id = site.sql(
        "SELECT r.body, l.qbo_id FROM qbo_link l JOIN qbo_record r USING (org_id, kind, kompass_id)"
        " WHERE l.kind = 'invoice' AND l.state = 'synced' AND l.entity = 'Invoice' AND NOT l.voided"
        " AND l.realm_id = %s AND jsonb_array_length(r.body -> 'lines') = 1 ORDER BY l.id LIMIT 1",
        UK,
    )[0]
    sent = record_from_json(Kind.INVOICE, body)
    assert isinstance(sent, Invoice)
    (document,) = [one for one in pipeline.objects("Invoice") if one["Id"] == qbo_id]
    lines = [dict(one) for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    lines[0]["Amount"] = lines[0]["Amount"] - 100
    lines[0]["SalesItemLineDetail"] = {
        key: value for key, value in lines[0]["SalesItemLineDetail"].items() if key not in ("Qty", "UnitPrice")
    }
    wanted = {"action": "update", "entity": "Invoice", "id": qbo_id, "members": {"Line": lines}}
    site.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    (was,) = sent.lines
    more = Decimal("250.00")
    tax = more * (was.vat_rate.rate if was.vat_rate else Decimal(0)) / 100
    changed = replace(
        sent,
        sequence=sent.sequence + 1,
        lines=(
            replace(
                was,
                amount_net=was.amount_net + more,
                amount_vat=was.amount_vat + tax,
                quantity=None,
                unit_price=None,
                percentage=None,
            ),
        ),
        amount_net=sent.amount_net + more,
        amount_vat=sent.amount_vat + tax,
        amount_gross=sent.amount_gross + more + tax,
    )
    pipeline.ingest(event(changed))
