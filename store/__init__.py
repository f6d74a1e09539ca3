"""SQLAlchemy Core over Postgres: records, links and intents, companies, connections, quota leases, failures."""
