"""A notifier on a real database and a real SMTP server, with a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage

from sqlalchemy import text

from consumers.notifier.notifier import Notifier, NotifierPolicy
from consumers.notifier.rendering import Renderer
from consumers.notifier.smtp import Mailer
from demo.embedded.mail import EmbeddedMail
from schemas.events import VatRate
from sync.metrics import Metrics
from tests.builders import event, invoice, line
from tests.pipeline import Pipeline

ADMIN = "books@meridian.example"
OPERATOR = "operator@kompass.example"


@dataclass
class Post:
    """What a test needs of the notifier."""

    pipeline: Pipeline
    mail: EmbeddedMail
    owner: str = "notifier-1"
    operator: str | None = OPERATOR
    smtp_url: str = ""
    templates: str | None = None
    ahead: timedelta = field(default_factory=timedelta)

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.notifier = Notifier(
            self.pipeline.engine,
            NotifierPolicy(
                owner=self.owner,
                mail_from="Kompass <sync@kompass.example>",
                operator_mail=self.operator,
                public_url="https://kompass.example/",
            ),
            renderer=Renderer(self.templates),
            mailer=Mailer(self.smtp_url or self.mail.url, sender="Kompass <sync@kompass.example>", timeout=5.0),
            metrics=self.metrics,
            clock=lambda: datetime.now(UTC) + self.ahead,
        )

    def later(self, **span: float) -> list[EmailMessage]:
        """Let time pass, turn once, and give the mails that came by it."""
        self.ahead += timedelta(**span)
        before = len(self.mail.messages)
        self.notifier.turn()
        return self.mail.messages[before:]

    def recipients(self, *addresses: str, org_id: str = "org-uk") -> None:
        with self.pipeline.engine.begin() as db:
            db.execute(
                text("UPDATE qbo_configuration SET notification_recipients = :to WHERE org_id = :org"),
                {"to": list(addresses), "org": org_id},
            )

    def reject(self, *ids: str, rate: str = "VAT 21 %") -> None:
        """Have invoices refused for want of a tax code."""
        # 20 %, whichever name it has, as the code that it is mapped to later: what is fixed must agree to the cent.
        vat = VatRate(rate.lower().replace(" ", "-"), rate, Decimal(20))
        self.pipeline.ingest(*(event(invoice(one, lines=(line(vat=vat),))) for one in ids))
        self.pipeline.drive()

    def mend(self, rate: str = "VAT 21 %") -> None:
        self.pipeline.map_vat_rate(rate.lower().replace(" ", "-"), "20.0% S")
        self.pipeline.drive()


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())
