"""What people want to change, what happens when, and what must not be touched: the three tables at the top of docs/rooms.md."""

from __future__ import annotations

Rows = tuple[tuple[str, str], ...]

_PAGES = "admin/quickbooks_online/pages"
_APP = "admin/quickbooks_online"

TASKS: dict[str, Rows] = {
    "Events": (
        ("a field of an event", "[add a field](how-to/add-a-field.md): `schemas/`"),
        (
            "the name of a topic or of a consumer group",
            "`topic_of` in `consumers/ingest/group.py`, `consumer_settings` in `consumers/ingest/group.py`",
        ),
        ("how many events are read at once", "`BATCH` in `consumers/ingest/loop.py`"),
        ("which Orgs and records an event is about", "`consumers/ingest/findings.py`"),
        (
            "which of two events of a record counts",
            "`store/records.py`: the higher `sequence`; known ones are dropped before it, in `consumers/ingest/findings.py`",
        ),
        ("records of Kafka that cannot be read", "`consumers/ingest/batch.py`; [replay](how-to/replay.md)"),
        (
            "where reading starts, and what a gap means",
            "`consumers/ingest/placing.py`; [Kafka](kafka.md#where-reading-starts)",
        ),
    ),
    "What is sent to QuickBooks": (
        (
            "which members are sent",
            "`mapping/client.py`, `mapping/project.py`, `mapping/invoice.py`; [fields](fields.md)",
        ),
        ("which Item or Class a line gets, and its description", "`mapping/invoice.py`"),
        ("which QuickBooks tax code a VAT rate or a line gets", "`mapping/tax.py`"),
        ("sales tax in the USA", "`mapping/tax.py`"),
        ("the tax that QuickBooks will come to", "`mapping/tax_amounts.py`, asked by `_check_tax` in `mapping/tax.py`"),
        (
            "the exchange rate of a document",
            "`mapping/rates.py`; reading it: `_read_rates` in `sync/preparation.py`; keeping it: `store/exchange_rates.py`",
        ),
        (
            "which currency fits",
            "`Draft.currency` in `mapping/members.py`; changed or linked by hand: `_same_currency` in `mapping/decide.py`, "
            "`_adopt` in `mapping/decide.py`; which customer: `needed_party` in `mapping/case.py`",
        ),
        (
            "how long a text may be (`DOC_NUMBER`, `DISPLAY_NAME`), which email or address goes",
            "`mapping/members.py`",
        ),
        ("the number or the due date of an invoice", "`mapping/invoice.py`"),
        (
            "the name of a client's second customer, `Acme (EUR)`",
            "`Draft.display_name` in `mapping/members.py`; whether it is a second one of a client: `suffix_of` in `mapping/payloads.py`",
        ),
        (
            "the templates (Jinja texts of the Configuration) that a new one starts with",
            f"`{_APP}/models/configuration.py`, with a migration",
        ),
        (
            "what a template of a Configuration may do (a loop, a function, a filter)",
            "what is allowed: `ALLOWED_NODES` in `mapping/sandbox.py`; what refuses the rest: `_check` in `mapping/templates.py`; "
            "lengths and bounds: `MAX_` in `mapping/templates.py`, `MAX_` in `mapping/template_functions.py`",
        ),
        ("the countries that an Org may choose", "`Locale` in `schemas/company.py`"),
    ),
    "What is decided about a record": (
        (
            "what becomes of a record, and the order of the questions",
            "`mapping/decide.py`; `sync/decide.py` for names and numbers",
        ),
        ("whether a record is to be synced at all (step, start date)", "`why_not_synced` in `mapping/case.py`"),
        (
            "what payments, closed books or a bookkeeper's edit forbid",
            "`_conflict` in `mapping/decide.py`; which members: `mapping/books.py`; words: `mapping/conflicts.py`; the page where a person "
            f"chooses: `choose_view` in `{_PAGES}/sync_errors.py`",
        ),
        ("what is sent when only a part changed", "`mapping/difference.py`"),
        ("what a void does", "`mapping/voids.py`; the answer: `sync/settle/answers.py`"),
        (
            "two records that want one name or number (two customers of one name)",
            "the verdict: `_decide` and `_beside` in `sync/decide.py`; the name itself: `Draft.display_name` in `mapping/members.py`, its "
            "`_suffix` in `sync/decide.py`; which of two waits: `sync/giving_way.py`; [why](decisions/024-names-that-give-way.md)",
        ),
        (
            "what a company had before us, and what it is",
            "`sync/inventory.py`; how alike is alike: `mapping/matching.py`; the page: `admin/quickbooks_online/first_link_up.py`",
        ),
        ("what a person decides about one link", "`sync/by_hand.py`"),
        (
            "a difference of cents after a push, between Kompass and QuickBooks",
            "`mapping/cents.py`, called by `sync/differences.py`; on the agreement sheet: `differs_by_rounding` in `mapping/expected.py`",
        ),
        (
            "the agreement sheet: what agrees, what differs by rounding alone, its columns and its verdict",
            "`mapping/agreement.py`, against what was sent: `mapping/expected.py`; blocks, sums and verdict: `mapping/sheet.py`; "
            "columns: `mapping/sheet_rows.py`; read by "
            "`sync/agreement.py`",
        ),
        (
            "a filed month, and the mail about what changed in it",
            "`mapping/filing.py`, `store/filing.py`, `sync/filed_months.py`",
        ),
    ),
    "The life of a link": (
        (
            "the state of a link",
            "`sync/link.py` alone, with its statements in `store/due.py`: [add a state](how-to/add-a-state.md)",
        ),
        (
            "what makes a link due",
            "the rule of each reason: `store/due.py`; after a changed Configuration `sync/sweep.py` starts it",
        ),
        ("how soon a process hears of a due link", "`consumers/listening.py`"),
        ("what a claim does with a due link, and by which process", "`sync/claim.py`, `store/links.py`"),
        ("when another process may take over a claim", "`lease_seconds` in `sync/settings/policies.py`"),
        (
            "the order in which a claimed link is checked: company, open attempt, facts, customer, decision, connection, budget",
            "`run` and `_decide` in `sync/claim.py`",
        ),
        (
            "which due links come first",
            "`due_candidates` in `store/candidates.py`: longest due first, by company; rounds: `consumers/turns.py`",
        ),
        (
            "how many links a claim takes, live or backlog",
            "`_free` in `consumers/runner.py`, `_EACH` and `_MORE` in `consumers/turns.py`, with `sync/pace.py`",
        ),
        ("what goes in one batch", "`sync/batches.py`; who has a backlog: `store/backlogs.py`"),
        (
            "what an answer means for a link",
            "`sync/settle/`: a write in `answers.py`, a read in `found.py`, a refusal, no answer",
        ),
        (
            "whether a lost call is repeated or looked up",
            "`Attempt.taken_over` in `sync/attempt.py`; the look-up: `sync/looking_up.py`",
        ),
        ("a link that our own code cannot decide", "`sync/quarantine.py`"),
        ("the daily retry", "`sync/daily_retry.py`, `store/daily_retry.py`"),
        ("what happens after a restore", "`consumers/restoring/`, `sync/stocktaking.py`, `sync/reattachment.py`"),
    ),
    "What people read of a failure": (
        (
            "a number before its noun (1 invoice, 2 invoices)",
            "`schemas/counting.py`; in pages and mails the filters `counted` and `form_of`",
        ),
        (
            "the page of a sync error, and a person's choice between two versions",
            f"`change_view` and `choose_view` in `{_PAGES}/sync_errors.py`; `failure.html` of the templates",
        ),
        ("the headline and general remedy of a cause", "[add a cause](how-to/add-a-cause.md): `mapping/causes/`"),
        (
            "the sentence about one record",
            "`mapping/problems.py`, `mapping/conflicts.py`; of a refusal: `sync/refusals.py`, with what `sync/explaining.py` read",
        ),
        (
            "the sentence about two records of ours with one name or number",
            "`name_held` and its neighbours in `mapping/conflicts.py`; the general remedy: `mapping/causes/ours.py`",
        ),
        ("the failure as it is stored and as a dead letter", "`sync/failing.py`, `store/failures.py`"),
        (
            "a filter of `dead-letters list` and `replay`",
            "`selection` in `consumers/dead_letter_tools/options.py`, `Selection` in `store/dead_letters.py`; `--from-topic`: `fits` in "
            "`consumers/dead_letter_tools/from_topic.py`",
        ),
        ("the dead-letter topic and its outbox", "`consumers/dead_letters.py`, `store/failures.py`"),
        ("what `why` and `trail` show", "`consumers/inquiry/`; what is kept: `store/history.py`, `store/trail.py`"),
        ("a difference: something of a synced record is otherwise in QuickBooks", "`sync/differences.py`"),
    ),
    "Calls to Intuit": (
        ("the text of a query or the body of a call", "`qbo_client/queries.py`, `qbo_client/calls.py`"),
        (
            "the headers, the minor version and the address of a call",
            "`qbo_client/transport.py`, `qbo_client/environment.py`",
        ),
        ("one HTTP exchange, its deadline", "`qbo_client/wire.py`"),
        ("what an HTTP status or a broken answer means", "`qbo_client/outcomes.py`, `qbo_client/faults.py`"),
        ("whether a refusal is final", "`qbo_client/verdicts.py`; how long a passing one is tried: `sync/patience.py`"),
        (
            "how often a call without an answer is tried (503, timeout)",
            "`sync/settle/unanswered.py` counts tries, `backoff` in `sync/patience.py` is the wait, numbers in `sync/settings/policies.py`",
        ),
        ("when a company or Intuit is not called (breakers)", "`sync/gates.py`, `qbo_client/breaker.py`"),
        (
            "Intuit's limits",
            "`Limits` in `qbo_client/quota.py` the rule, `store/quota.py` the shared row, `sync/permits.py` the permits",
        ),
        ("the month's budget of metered reads", "`sync/budget.py`"),
        (
            "the facts of a company: which, and how long they are kept",
            "`qbo_client/company_facts.py`, `sync/preparation.py`",
        ),
        ("when tokens are refreshed, and what a refused refresh does", "`sync/tokens.py`, `store/connections.py`"),
        ("the one failure of a disconnected company", "`sync/disconnection.py`"),
        ("how often a company whose subscription has ended is asked again", "`TRY_AFTER_S` in `sync/disconnection.py`"),
        (
            "the authorisation at Intuit (scope, code, revocation)",
            f"`qbo_client/oauth.py`; its pages: `{_PAGES}/authorization.py`",
        ),
        ("how tokens are encrypted", "`store/secrets.py`; [rotate the keys](how-to/rotate-keys.md)"),
    ),
    "Mails": (
        ("the text of a mail", "`consumers/notifier/templates/`"),
        (
            "the subject of a mail",
            "`_subject` in `consumers/notifier/digest.py`; of an outage and its end: `consumers/notifier/notifier.py`; of a filed month: "
            "`consumers/notifier/filed.py`",
        ),
        ("when a mail goes", "`consumers/notifier/pacing.py`"),
        ("who gets a mail", "`_recipients` in `consumers/notifier/notifier.py`"),
        ("what is in a digest", "`consumers/notifier/digest.py`, read by `store/notices.py`"),
    ),
    "The admin": (
        ("a page, its data", f"`{_PAGES}/`"),
        ("a page, its HTML and its buttons", f"`{_APP}/templates/admin/quickbooks_online/`"),
        (
            "a page of an Org",
            f"a mixin as in `{_PAGES}/overview.py`, among the bases of `ConfigurationAdmin` in `{_PAGES}/configurations.py`",
        ),
        (
            "a column of a list of records",
            f"`list_display` in `{_PAGES}/customers.py` (Customers) or `{_PAGES}/links.py` (Projects, Invoices); its method in "
            f"`{_PAGES}/links.py`, what it reads: `read_said` in `{_PAGES}/link_rows.py`, in the export: `exported` in `{_PAGES}/links.py`",
        ),
        (
            "a filter of those lists",
            f"its class in `{_PAGES}/link_filters.py`, entered as `list_filter` in `{_PAGES}/links.py`",
        ),
        (
            "the words of a state, on lists and at the top of a link's page",
            f"`STATE_WORDS` and `state_in_words` in `{_PAGES}/link_rows.py`; the page: `link_form.html` of the templates",
        ),
        (
            "a field of a form and its refusals",
            f"`{_APP}/forms.py`; dropdowns: `{_APP}/list_fields.py`, `{_APP}/lists.py`",
        ),
        ("the preview of a record", f"`{_APP}/preview.py`; the decision in it: `predict` in `sync/decide.py`"),
        ("the impact of a changed mapping", f"`{_APP}/impact.py`"),
        ("what a check of the company looks at", f"`{_APP}/check.py`, `{_APP}/check_tax.py`"),
        (
            "the suggestions for a mapping",
            f"`{_APP}/suggestions.py`: `LEAST` to be shown, `SURE` and `AHEAD` to be chosen beforehand",
        ),
        (
            "import and export of mappings, and the form of such a file",
            f"`{_APP}/mapping_files.py`; Excel and CSV: `{_APP}/sheets.py`, `{_APP}/workbooks.py`",
        ),
        ("who may see or do what", f"`{_PAGES}/base.py`; [permissions](admin.md#permissions)"),
        (
            "logins, the age of a session, the Content-Security-Policy",
            "values: `admin/settings.py`; numbers: `DoorPolicy` in `sync/settings/policies.py`; `admin/door.py` applies them",
        ),
        ("the activity log and its undo", f"`{_APP}/activity.py`"),
    ),
    "Processes and commands": (
        (
            "the threads of a consumer",
            "`consumers/runner.py` (claim, send), `consumers/settler.py`, `consumers/process.py` (all of them)",
        ),
        ("how a process starts, waits and stops", "`consumers/starting.py`, `consumers/process.py`"),
        ("/livez, /readyz and the stack dump", "`consumers/health.py`; of the admin: `admin/probes.py`"),
        ("the log: its form", "`consumers/logs.py`; the line of a call: `sync/metrics.py`"),
        ("a metric", "[add a metric](how-to/add-a-metric.md)"),
        ("an alert", "[add an alert](how-to/add-an-alert.md)"),
        ("a setting", "[add a setting](how-to/add-a-setting.md)"),
        ("a number: a timeout, a pause, a size", "`sync/settings/policies.py`"),
        ("a command", "[add a command](how-to/add-a-command.md)"),
        (
            "an exit code",
            "`ExitCode` in `consumers/errors.py`; which error has which: `_EXPECTED` in `consumers/cli.py`",
        ),
        ("a check of `doctor`", "`consumers/doctor.py`"),
    ),
    "The database": (
        ("a table or a column", "[add a column](how-to/add-a-column.md)"),
        ("a query", "the module of its table or question in `store/`"),
        (
            "what is deleted, and when (old records, history, failures)",
            "by `tidy`: `store/tidying.py`; how long it is kept: `RetentionPolicy` in `sync/settings/policies.py`; an attempt, once its "
            "call settles: `retire` in `store/attempts.py`",
        ),
        ("connections and their pool", "`store/engine.py`, `store/address.py`"),
        ("what is tried again when Postgres says so", "`store/engine.py`"),
    ),
    "Stand-ins, deployment, tests, docs": (
        ("what the simulator answers", "[teach the simulator](how-to/teach-the-simulator.md)"),
        ("the companies that the simulator starts with", "`simulator/seeds.py`"),
        ("the sample events", "`demo/samples/`; the set-up of their Orgs: `demo/orgs.py`"),
        (
            "what `make demo` expects in the books",
            "`demo/expectation.py` works it out from the events; one record more: `demo/samples/story.py`, then "
            "`python -m demo.samples --write`",
        ),
        ("the image, Compose, Kubernetes", "`deploy/Dockerfile`, `deploy/compose.yaml`, `deploy/kubernetes/base/`"),
        (
            "a threshold of an alert",
            "`deploy/prometheus/alerts.yml`, its test in `deploy/prometheus/tests/`; [add an alert](how-to/add-an-alert.md)",
        ),
        (
            "a panel of a dashboard",
            "`deploy/grafana/dashboard_operations.py` and its neighbours, then `python deploy/grafana/build.py`",
        ),
        ("what tests share", "`tests/builders.py`, `tests/pipeline.py`; `tests/README.md` says which test proves what"),
        ("another crash point", "`POINTS` and `reached` in `sync/crash_points.py`; the tests find it"),
        ("what a kill at any moment may cost", "`tests/chaos/`; how long it ran: [reliability](reliability.md)"),
        ("the words that our prose avoids", "`docs/words-to-avoid.txt`, `docs/glossary.md`"),
        ("these tables", "`docs/tools/tasks.py`"),
    ),
}
"""Part → what somebody wants to change, and where it is."""

WHEN: Rows = (
    (
        "an event comes twice, late or out of order",
        "Nothing changes: the higher `sequence` counts. `store/records.py`; [architecture](architecture.md)",
    ),
    (
        "an event cannot be read",
        "It becomes a dead letter, byte for byte; after 100 in a row the consumer stops. [Kafka](kafka.md#what-is-in-the-topics)",
    ),
    (
        "Kafka deleted events before they were read",
        "Reading goes on at the oldest one left, and an alert says so. [Kafka](kafka.md#where-reading-starts)",
    ),
    (
        "a client of Kafka meets a fatal error",
        "A consumer's process ends with exit code 4: `consumers/kafka_errors.py`, `consumers/process.py`; the producer of dead "
        "letters is made again, and the process lives: `consumers/dead_letters.py`",
    ),
    (
        "a process is killed between claim and settle",
        "Another one takes the attempt over. [Exactly once](architecture.md#exactly-once-in-effect)",
    ),
    (
        "a process is asked to stop",
        "It claims nothing more and finishes its calls. [What runs](operations.md#what-runs)",
    ),
    (
        "Kafka, Postgres, Intuit, the registry or the mail server is away",
        "Work waits, nothing fails. [Runbooks](runbooks/README.md)",
    ),
    (
        "Intuit does not answer, or answers 429 or 503",
        "The link is `retrying`; a breaker stops calls. [What a call can come to](intuit.md#what-a-call-can-come-to)",
    ),
    (
        "Intuit refuses a record",
        "A final refusal makes a failure, a passing one is tried again. `qbo_client/verdicts.py`, `sync/patience.py`",
    ),
    (
        "Intuit refuses a refresh token",
        "The company is disconnected, its links wait, one mail goes. `sync/tokens.py`; [runbook](runbooks/disconnected.md)",
    ),
    (
        "our own code fails on one link",
        "That link fails with the cause `unforeseen`; the others go. `sync/quarantine.py`",
    ),
    (
        "an admin saves a mapping, a template or a start date",
        "The version rises, and `sync/sweep.py` makes the links due that it concerns",
    ),
    (
        "an Org is linked to another company",
        "Links belong to a company, so new ones are made there. `sync/sweep.py`; [the admin](admin.md#step-2-linking)",
    ),
    (
        "a company has customers or invoices already",
        "They are read first and matched; a person confirms. [First link-up](month-end.md#the-first-link-up)",
    ),
    (
        "a document in a foreign currency is dated on a new day",
        "Its rate is read once, and kept for that day for good; a day without one is asked again after an hour. `store/exchange_rates.py`",
    ),
    (
        "a bookkeeper edits what we sent",
        "Other members survive; where both sides changed the same, a person decides on the page of the failure: `_conflict` in "
        f"`mapping/decide.py`, `change_view` in `{_PAGES}/sync_errors.py`, `{_APP}/templates/admin/quickbooks_online/failure.html`",
    ),
    (
        "a bookkeeper voids what we sent, and Kompass changes it",
        "Nothing is sent; a failure `conflict:voided-in-qbo`. `_conflict` in `mapping/decide.py`, words in `mapping/conflicts.py`",
    ),
    (
        "a bookkeeper deletes what we sent",
        "A failure that offers *Recreate*: `_conflict` in `mapping/decide.py`, `deleted-in-qbo` in `mapping/causes/ours.py`",
    ),
    (
        "a document is voided in Kompass",
        "It is voided in QuickBooks, unless payments or closed books forbid it. `mapping/decide.py`",
    ),
    (
        "a document is taken back in Kompass after it was sent",
        "The link is `withdrawn`; QuickBooks is left alone and people see it. `mapping/decide.py`",
    ),
    (
        "a paid or closed document changes in Kompass",
        "Nothing is sent; it becomes a failure. `_conflict` in `mapping/decide.py`, `mapping/books.py`",
    ),
    (
        "QuickBooks books another total",
        "A difference is noted with both figures. `sync/differences.py`, `mapping/cents.py`",
    ),
    (
        "a document of a filed month changes",
        "The recipients get a mail, once a day at most. `consumers/notifier/filed.py`",
    ),
    (
        "the budget of metered reads is spent",
        "As `INTUIT_BUDGET_SPENT` says. `sync/budget.py`; [runbook](runbooks/budget-spent.md)",
    ),
    (
        "the database is restored from a backup",
        "Run `kompass-qbo restored` before any consumer. [After a restore](operations.md#after-a-restore)",
    ),
    ("`TOKEN_KEYS` are lost", "Every Org has to be authorised again. [Backup](operations.md#backup-and-restore)"),
    ("two people save one form", f"The second one is refused and shows what the first one changed. `{_APP}/opened.py`"),
)
"""What happens when."""

NEVER: Rows = (
    (
        "a link's state, cause, `due_at` and the rest of `OWNED` outside `sync/link.py` and `store/due.py`",
        "One owner; `tests/unit/sync/test_one_owner.py`",
    ),
    (
        "`qbo_id` of a link, or its row",
        "It keeps an object from being made twice. Change it only through `sync/by_hand.py` or `sync/settle/`",
    ),
    (
        "the order of claim, call and settle",
        "The attempt is stored before the call, and no transaction is open during it; `tests/chaos/test_crash_points.py`",
    ),
    (
        "the request id of a stored attempt, or its body",
        "Intuit executes an id once; [why](decisions/002-random-request-ids.md)",
    ),
    ("the order of locks: links, then facts, then Configuration", "Another order makes deadlocks"),
    (
        "the clock, randomness or I/O in `mapping/`",
        "Decisions are pure, so preview and pipeline agree; `tests/unit/test_rooms.py`",
    ),
    ("the arrows between the rooms", "[Architecture](architecture.md#the-rooms); `tests/unit/test_rooms.py`"),
    ("a migration that was released", "Write another one; [add a column](how-to/add-a-column.md)"),
    (
        "a schema in `schemas/history/`, the type or the meaning of a field",
        "Old events must stay readable; [changing a schema](events.md#changing-a-schema)",
    ),
    (
        "a cause's code, a metric's name, an exit code, a command's JSON",
        "People's scripts and open failures hold them; say a change in `CHANGELOG.md`",
    ),
    (
        "the mark in a document's private note",
        "Look-ups and restores find our documents by it; `mark` and `marked_id` in `mapping/invoice.py`",
    ),
    (
        "the first byte and the dictionary of a packed document",
        "Rows in databases are read by it: a better one gets the next number; `store/sql.py`",
    ),
    (
        "our notes beside what was sent",
        "Later decisions read them; `schemas/applied.py`, made in `mapping/payloads.py`",
    ),
    (
        "the keys by which an object of a company is found again",
        "They are stored in `qbo_existing`: companies that were read keep the old ones; `keys_of` in `mapping/matching.py`",
    ),
    (
        "the final verdict of a fault code without a source",
        "A wrong one makes duplicates or loses records; [why](decisions/012-refusals-without-proof.md)",
    ),
    (
        "an import of ours in `simulator/`",
        "It must not share our mistakes; [why](decisions/010-simulator-of-its-own.md)",
    ),
    ("money as a float", "`Decimal` everywhere; `mapping/money.py`, `store/sql.py`"),
    (
        "a page that is made: `docs/rooms.md`, `docs/commands.md`, `docs/settings.md`, "
        "`docs/metrics.md`, `docs/faults.md`, `deploy/grafana/operations.json`",
        "Change its source and run its tool; `deploy/release_check.py` names them",
    ),
)
"""What must not be touched, and why, or what holds it."""
