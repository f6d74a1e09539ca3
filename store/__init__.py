"""SQLAlchemy Core over Postgres: records, links and attempts, companies, connections, quota leases, failures."""
