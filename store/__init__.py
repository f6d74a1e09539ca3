"""SQLAlchemy Core over Postgres: records, links and attempts, companies, connections, quota leases, failures.

Interface: each module is one table or one question. A function takes an open `Connection` as its first argument, and the caller owns
the transaction; `engine` makes the pool, and `engine.retrying` opens a short one.

Shapes: what is read is a frozen dataclass, such as `links.Link`. Units: moments are aware UTC by the database's clock; JSON numbers are
`Decimal`; spans are seconds. Locks are taken in one order: links, then facts, then Configuration.

Errors: `errors.StoreError`, each a sentence for an operator. SQLAlchemy's own errors pass through: the caller knows what to repeat.

Source: `tables.py`, which follows the migrations in `admin/quickbooks_online`; a test compares the two.
"""
