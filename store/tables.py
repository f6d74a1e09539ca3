"""The database as the consumers see it: the same tables that the migrations in `admin.quickbooks_online` make.

Django alone migrates; a test holds these definitions to the migrated database, column by column. A `server_default`
here means that the database fills the column for every writer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schemas.link_state import LinkState
from store.sql import Document, Sent

metadata = MetaData()


def _id() -> Column[Any]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[Any]:
    """Absent text is the empty string, as Django has it, unless absence means something of its own."""
    return Column(name, Text, nullable=nullable, server_default=None if nullable else text("''"))


def _moment(name: str, *, now: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=not now, server_default=text("now()") if now else None)


def _flag(name: str, *, default: bool = False) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("true" if default else "false"))


def _number(name: str, default: int = 0) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


# --- What Kompass says ---

# Every Org ever seen in an event, configured or not, so that an admin can pick it from a list.
org = Table(
    "qbo_org",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

# The newest state of each record, per Org, with the original event: a dead letter must give it back unchanged.
record = Table(
    "qbo_record",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("kompass_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    _text("reference"),  # an invoice's or project's reference, a client's name: what a person searches for
    Column("body", JSONB, nullable=False),  # schemas.jsonlines.record_to_json
    _flag("deleted"),
    Column("event_id", Uuid, nullable=True),
    _moment("event_created_at", now=True),
    _text("topic"),
    Column("partition", Integer, nullable=False, server_default=text("-1")),
    Column("offset", BigInteger, nullable=False, server_default=text("-1")),
    _moment("event_timestamp"),
    Column("event_key", LargeBinary, nullable=True),
    Column("event_value", LargeBinary, nullable=True),
    Column("event_headers", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # [[name, base64 or null], …]
    _moment("received_at", now=True),
    UniqueConstraint("org_id", "kind", "kompass_id"),
)

department = Table(
    "qbo_department",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    Column("kompass_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    _moment("last_seen_at", now=True),
    UniqueConstraint("org_id", "kompass_id"),
)

service = Table(
    "qbo_service",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    Column("kompass_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    _text("department_kompass_id"),
    _moment("last_seen_at", now=True),
    UniqueConstraint("org_id", "kompass_id"),
)

# The row with an empty kompass_id stands for lines without a VAT rate.
vat_rate = Table(
    "qbo_vat_rate",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    _text("kompass_id"),
    Column("name", Text, nullable=False),
    Column("rate", Numeric(9, 4), nullable=True),
    _moment("last_seen_at", now=True),
    UniqueConstraint("org_id", "kompass_id"),
)

# --- What the admin says ---

configuration = Table(
    "qbo_configuration",
    metadata,
    _id(),
    Column("org_id", Text, ForeignKey("qbo_org.id"), nullable=False, unique=True),
    Column("version", BigInteger, nullable=False, server_default=text("1")),  # raised by triggers only
    # The version that last changed the company; a trigger's, too.
    Column("realm_version", BigInteger, nullable=False, server_default=text("0")),
    _flag("enabled"),
    _moment("enabled_at"),  # when it was switched on last; a trigger's
    Column("start_date", Date, nullable=True),
    Column("notification_recipients", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    _flag("project_customers", default=True),
    Column("doc_number_template", Text, nullable=False, server_default=text("'{{ invoice.reference }}'")),
    Column(
        "project_name_template",
        Text,
        nullable=False,
        server_default=text("'{{ project.reference }} {{ project.name }}'"),
    ),
    Column("client_name_template", Text, nullable=False, server_default=text("'{{ client.name }}'")),
    Column("currency_name_template", Text, nullable=False, server_default=text("'{{ name }} ({{ currency }})'")),
    Column("locale", Text, nullable=False, server_default=text("'EU'")),
    Column("billed_tax", Text, nullable=False, server_default=text("'refuse'")),
    _text("tax_item_id"),
    Column("tax_amounts", Text, nullable=False, server_default=text("'quickbooks'")),
    Column("exchange_rates", Text, nullable=False, server_default=text("'day'")),
    _flag("vat_numbers", default=True),
    Column("realm_id", Text, nullable=True, unique=True),  # the article's Company id
    _text("default_item_id"),
    _text("default_class_id"),
    _moment("created_at", now=True),
)

# How far the reconciler has carried a configuration into its links. Not in the configuration itself, whose every change
# raises its version.
sweep = Table(
    "qbo_sweep",
    metadata,
    Column("configuration_id", BigInteger, ForeignKey("qbo_configuration.id", ondelete="CASCADE"), primary_key=True),
    _number("version"),
    _text("realm_id"),
)


def _mapping(name: str, *columns: Column[Any], unique: tuple[str, ...]) -> Table:
    return Table(
        name,
        metadata,
        _id(),
        Column("configuration_id", BigInteger, ForeignKey("qbo_configuration.id", ondelete="CASCADE"), nullable=False),
        Column("realm_id", Text, nullable=False),  # a mapping names things of one QBO company
        *columns,
        UniqueConstraint("configuration_id", "realm_id", *unique),
    )


item_service = _mapping(
    "qbo_item_service",
    Column("service_id", BigInteger, ForeignKey("qbo_service.id", ondelete="CASCADE"), nullable=False),
    Column("item_id", Text, nullable=False),
    _text("item_name"),
    _text("class_id"),
    _text("class_name"),
    unique=("service_id",),
)

department_class = _mapping(
    "qbo_department_class",
    Column("department_id", BigInteger, ForeignKey("qbo_department.id", ondelete="CASCADE"), nullable=False),
    Column("class_id", Text, nullable=False),
    _text("class_name"),
    unique=("department_id",),
)

tax_code_vat_rate = _mapping(
    "qbo_tax_code_vat_rate",
    Column("vat_rate_id", BigInteger, ForeignKey("qbo_vat_rate.id", ondelete="CASCADE"), nullable=False),
    Column("tax_code_id", Text, nullable=False),
    _text("tax_code_name"),
    unique=("vat_rate_id",),
)

custom_field = _mapping(
    "qbo_custom_field",
    Column("definition_id", Text, nullable=False),
    _text("name"),
    Column("template", Text, nullable=False),
    unique=("definition_id",),
)

# --- The QBO company ---

connection = Table(
    "qbo_connection",
    metadata,
    _id(),
    Column(
        "configuration_id",
        BigInteger,
        ForeignKey("qbo_configuration.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    Column("realm_id", Text, nullable=False, unique=True),
    _number("version", 1),  # every write of tokens or state is a compare-and-swap on it
    Column("state", Text, nullable=False, server_default=text("'connected'")),  # connected | disconnected
    _text("company_name"),
    _text("access_token"),  # encrypted with TOKEN_KEYS
    _moment("access_expires_at"),
    _text("refresh_token"),  # encrypted with TOKEN_KEYS
    _moment("refresh_expires_at"),
    _moment("refresh_hard_expires_at"),
    _moment("refreshed_at"),
    _text("refresh_owner"),  # the one process that may refresh, until refresh_lease_until
    _moment("refresh_lease_until"),
    _moment("disconnected_at"),
    _text("disconnect_cause"),
    _text("disconnect_message"),
    _moment("probe_at"),
    _moment("linked_at", now=True),
)

company_facts = Table(
    "qbo_company_facts",
    metadata,
    Column("realm_id", Text, primary_key=True),
    _moment("fetched_at", now=True),
    Column("body", JSONB, nullable=False),
    _moment("lease_until"),  # somebody fetches
    _moment(
        "refetch_at"
    ),  # from then on they are fetched again before anything is decided by them; null: when they are old
    Column(
        "unchanged", Boolean, nullable=False, server_default=text("false")
    ),  # the last fetch said what the one before said
)

# A day's exchange rate, read once; a row without `fetched_at` is to be read.
exchange_rate = Table(
    "qbo_exchange_rate",
    metadata,
    _id(),
    Column("realm_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("rate", Numeric(20, 10), nullable=True),  # null: QuickBooks has none of that day
    _moment("fetched_at"),
    _moment("lease_until"),  # somebody reads it
    UniqueConstraint("realm_id", "currency", "day"),
)

# The one process that counts the gauges for all.
gauge_keeper = Table(
    "qbo_gauge_keeper",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    _moment("until", now=True),
)

# Intuit's limits, shared by every process that works for the company.
quota_lease = Table(
    "qbo_quota_lease",
    metadata,
    Column("realm_id", Text, primary_key=True),
    Column("window", JSONB, nullable=False, server_default=text("'{}'::jsonb")),  # qbo_client.quota.Window
    _moment("blocked_until"),  # Intuit said 429
)

# --- Links and attempts ---

# One row per thing a company should have in QBO. The admin's Customers, Projects and Invoices are these rows, by kind.
link = Table(
    "qbo_link",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    Column("realm_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # client | project | invoice
    Column("kompass_id", Text, nullable=False),
    _text("party_id"),  # a job's billing client; else empty
    _text("currency"),  # of a customer or job: empty until it is first decided
    _text("reference"),
    # What QBO has
    _text("entity"),  # Customer | Invoice | CreditMemo
    Column("qbo_id", Text, nullable=True),
    Column("sync_token", Text, nullable=True),
    Column("applied", Sent(), nullable=True),  # what we sent last and QBO accepted
    Column("line_ids", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    _text("name"),  # DisplayName or DocNumber in QBO
    Column("qbo_total", Numeric(20, 5), nullable=True),
    Column("qbo_tax", Numeric(20, 5), nullable=True),
    _flag("voided"),
    Column("observed", Document(), nullable=True),  # the object as QBO answered it last (`schemas.observed`)
    Column(
        "by_hand", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")
    ),  # members changed by others since
    Column(
        "kept", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")
    ),  # where a person chose what QBO says
    Column("applied_sequence", BigInteger, nullable=True),
    _moment("synced_at"),
    # What the admin wants of it
    _text("name_override"),
    _flag("refresh_names"),
    _flag("overwrite"),
    _flag("adopted"),  # linked by hand to a customer that was there before
    # The state
    Column("state", Text, nullable=False, server_default=text(f"'{LinkState.PENDING}'")),
    _text("cause"),
    _text("reason"),
    Column("depends_on", BigInteger, nullable=True),
    Column("decided_sequence", BigInteger, nullable=True),
    Column("decided_version", BigInteger, nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("first_failed_at"),
    _moment("last_failed_at"),
    _moment("event_created_at"),
    # The work
    _moment("due_at"),  # null: nothing to do; in the future: not before then
    _flag("again"),  # something newer came since the claim
    _moment("due_since"),
    Column("lanes", Integer, nullable=False, server_default=text("0")),  # bits: 1 clients, 2 projects, 4 invoices
    _number("epoch"),  # grows with every claim; a settle of an older epoch changes nothing
    Column("batch_most", Integer, nullable=True),  # after a batch was refused as a whole: the most to go with it in one
    _moment("created_at", now=True),
    UniqueConstraint("realm_id", "kind", "kompass_id", "party_id", "currency"),
)

# The agreement sheet of a month as somebody filed it; never changed and never deleted.
filed_month = Table(
    "qbo_filed_month",
    metadata,
    _id(),
    Column("org_id", Text, nullable=False),
    Column("realm_id", Text, nullable=False),
    Column("month", Text, nullable=False),  # 2026-03
    _moment("filed_at", now=True),
    Column("filed_by", Text, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 over the rows
    Column("verdict", Text, nullable=False),
    Column("rows", JSONB, nullable=False),
    UniqueConstraint("org_id", "realm_id", "month"),
)

# What is in QBO otherwise than Kompass says, although the record is there: one row as long as it is so.
difference = Table(
    "qbo_difference",
    metadata,
    _id(),
    Column("link_id", BigInteger, ForeignKey("qbo_link.id", ondelete="CASCADE"), nullable=False),
    Column("cause", Text, nullable=False),  # mapping.cents, sync.differences
    Column("org_id", Text, nullable=False),
    Column("realm_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    _moment("found_at", now=True),
    # Of a total that is another; NULL of what was left out or not taken.
    Column("kompass_total", Numeric(20, 5), nullable=True),
    Column("kompass_tax", Numeric(20, 5), nullable=True),
    Column("qbo_total", Numeric(20, 5), nullable=True),
    Column("qbo_tax", Numeric(20, 5), nullable=True),
    UniqueConstraint("link_id", "cause"),
)

# What is being sent, or may have been: at most one per link, written before the call and re-sent only as written.
attempt = Table(
    "qbo_attempt",
    metadata,
    Column("link_id", BigInteger, ForeignKey("qbo_link.id", ondelete="CASCADE"), primary_key=True),
    Column("realm_id", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("phase", Text, nullable=False, server_default=text("'send'")),  # send | lookup
    Column("operation", Text, nullable=False),  # create | update | void | read
    Column("entity", Text, nullable=False),
    Column("object_id", Text, nullable=True),
    _text("body"),  # JSON, to the byte
    Column("request_id", Text, nullable=False),
    Column("applied", Sent(small=False), nullable=True),  # what the link's `applied` becomes
    _text("name"),
    Column("sequence", BigInteger, nullable=False),
    Column("configuration_version", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("owner", Text, nullable=False),
    _moment("heartbeat_at", now=True),
    _moment("first_sent_at", now=True),
    _moment("resend_after", now=True),  # by then the call that was sent is certainly over
    _text("batch_id"),  # of a member of a batch: the request id that all of them went under
    _flag("voided"),  # once QBO has answered, the document counts as voided
    _text("temporary"),  # of a name that makes way for others: the cause under which the link is due again
)

# What happened to each record, for `kompass-qbo why` and the admin's history.
history = Table(
    "qbo_history",
    metadata,
    _id(),
    _moment("at", now=True),
    Column("org_id", Text, nullable=False),
    _text("realm_id"),
    Column("kind", Text, nullable=False),
    Column("kompass_id", Text, nullable=False),
    Column("link_id", BigInteger, nullable=True),
    Column("what", Text, nullable=False),  # `event | judged | called | failed | recovered | asked | mailed`
    _text("outcome"),
    _text("message"),
    _text("intuit_tid"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

# --- After a restore ---

# How far each partition was read, written with what was read: Kafka knowing more than this is a database that went back in time.
reached = Table(
    "qbo_reached",
    metadata,
    _id(),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),  # of the next record
    UniqueConstraint("topic", "partition"),
)

# Records of a partition that Kafka deleted before they were read, or that an operator accepted as unreadable.
stretch = Table(
    "qbo_stretch",
    metadata,
    _id(),
    Column("what", Text, nullable=False),  # gap | accepted
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("first", BigInteger, nullable=False),  # offset of the first of them
    Column("last", BigInteger, nullable=False),  # and of the last
    _text("by"),
    _text("reason"),
    _moment("at", now=True),
    UniqueConstraint("what", "topic", "partition", "first"),
)

# Each time that an operator said `kompass-qbo restored`.
restore = Table(
    "qbo_restore",
    metadata,
    _id(),
    Column("since", DateTime(timezone=True), nullable=False),  # what QBO got after this moment is not in the backup
)

# The companies that were looked through after a restore, and which one that was.
stocktaking = Table(
    "qbo_stocktaking",
    metadata,
    Column("realm_id", Text, primary_key=True),
    Column("restore_id", BigInteger, nullable=False),
    _moment("taken_at", now=True),
)

# What was found in them that was made after the backup, until a link takes it.
stock = Table(
    "qbo_stock",
    metadata,
    _id(),
    Column("realm_id", Text, nullable=False),
    Column("entity", Text, nullable=False),  # Customer | Invoice | CreditMemo
    Column("qbo_id", Text, nullable=False),
    _text("name"),  # a customer's DisplayName
    _text("kompass_id"),  # a document's, by the mark in its note
    Column("body", JSONB, nullable=False),
    UniqueConstraint("realm_id", "entity", "qbo_id"),
)

# --- First link-up ---

# A newly linked company is looked through before anything is made there: how far that got.
inventory = Table(
    "qbo_inventory",
    metadata,
    Column("realm_id", Text, primary_key=True),
    _moment("asked_at"),  # a person asked for it before the Configuration was enabled
    Column("entity", Text, nullable=False, server_default=text("'Customer'")),  # the next page is of these
    _number("start", 1),  # and begins here, counted from 1
    _number("reads"),
    _number("unreadable"),  # objects that QuickBooks does not answer with
    _moment("since"),  # what did not change since then is known; by Intuit's clock, as is the next one
    _moment("as_of"),  # the first answer of the last reading
    _moment("begun_at"),  # of the last reading, by our clock
    _moment("taken_at"),
)

# Kompass's topics are read again for a new Configuration: by which consumer, and how far.
backfill = Table(
    "qbo_backfill",
    metadata,
    Column("configuration_id", BigInteger, ForeignKey("qbo_configuration.id", ondelete="CASCADE"), primary_key=True),
    _moment("asked_at", now=True),
    _text("owner"),
    _moment("beat_at"),
    _number("total"),
    _number("read"),
    _number("of_org"),
    _moment("oldest_at"),  # of all that the topics still have
    _moment("oldest_of_org_at"),
    _moment("finished_at"),
    _text("problem"),
)

# What it had: no more of each than a match of names, numbers and totals needs.
existing = Table(
    "qbo_existing",
    metadata,
    _id(),
    Column("realm_id", Text, nullable=False),
    Column("entity", Text, nullable=False),  # Customer | Invoice | CreditMemo
    Column("qbo_id", Text, nullable=False),
    _text("name"),  # DisplayName or DocNumber
    _text("parent_id"),
    _text("customer_id"),
    Column("date", Date, nullable=True),
    Column("total", Numeric(20, 5), nullable=True),
    _text("currency"),
    _text("kompass_id"),  # the invoice that its private note names
    Column("keys", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),  # `mapping.matching.keys_of`
    UniqueConstraint("realm_id", "entity", "qbo_id"),
)

# --- Failures ---

failure = Table(
    "qbo_failure",
    metadata,
    _id(),
    _text("org_id"),  # empty: belongs to no Org, goes to the operator
    _text("realm_id"),
    Column("link_id", BigInteger, nullable=True),
    _text("kind"),
    _text("kompass_id"),
    _text("reference"),
    Column("sequence", BigInteger, nullable=True),
    Column("stage", Text, nullable=False),  # decode | map | push | connect
    Column("cause", Text, nullable=False),
    _text("message"),
    _text("remedy"),
    _text("field"),
    _text("value"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _text("intuit_tid"),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    _moment("first_failed_at", now=True),
    _moment("last_failed_at", now=True),
    Column("replay_count", Integer, nullable=False, server_default=text("0")),
    _moment("replay_asked_at"),
    _text("topic"),
    Column("partition", Integer, nullable=False, server_default=text("-1")),
    Column("offset", BigInteger, nullable=False, server_default=text("-1")),
    _moment("event_timestamp"),
    Column("event_key", LargeBinary, nullable=True),
    Column("event_value", LargeBinary, nullable=True),
    Column("event_headers", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    _moment("closed_at"),
    _text("closed_because"),
)

# Groups of failures that are fixed inside QBO, by company, cause and what it is about: one record of each is tried a day.
probe = Table(
    "qbo_probe",
    metadata,
    _id(),
    Column("realm_id", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("link_id", BigInteger, nullable=False),
    Column("waiting", BigInteger, nullable=False),
    Column("probed_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("realm_id", "cause", "about"),
)

# Dead letters on their way to the topic: written with the failure, deleted when the broker has acknowledged.
outbox = Table(
    "qbo_outbox",
    metadata,
    _id(),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=True),
    Column("value", LargeBinary, nullable=True),
    Column("headers", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("failure_id", BigInteger, nullable=True),
    _moment("created_at", now=True),
)

# --- Mails ---

# A mail as it was written, kept until the mail server has taken it.
mail = Table(
    "qbo_mail",
    metadata,
    _id(),
    _text("org_id"),  # empty: to the operator
    Column("kind", Text, nullable=False),  # digest | note (nothing waits) | all-clear | forwarded | filed
    Column("recipients", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("delivered", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("message_id", Text, nullable=False, unique=True),  # the same at every try, so that a mailbox can tell
    _text("thread_id"),  # the Message-ID of the first mail about this outage
    Column("state", Text, nullable=False, server_default=text("'waiting'")),  # waiting | sent | refused | failed
    _moment("created_at", now=True),
    _moment("due_at"),
    _text("claimed_by"),
    _moment("claimed_until"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _text("last_error"),
    _moment("sent_at"),
)

# What was in a mail; open until it is resolved.
notice = Table(
    "qbo_notice",
    metadata,
    _id(),
    _text("org_id"),
    Column("subject", Text, nullable=False),  # the cause, or <cause>#<failure or link> where each record has its own
    Column("cause", Text, nullable=False),
    _text("headline"),
    Column("failure_id", BigInteger, nullable=True),
    Column("link_id", BigInteger, nullable=True),  # of a withdrawn document
    Column("mail_id", BigInteger, nullable=False),
    _moment("told_at", now=True),
    _moment("cleared_at"),
    Column("all_clear_id", BigInteger, nullable=True),
)
