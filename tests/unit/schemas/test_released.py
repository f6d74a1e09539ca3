"""A schema that was once released is read for ever: Kafka and the dead letters may hold its records."""

from __future__ import annotations

from schemas.shipped import current, shipped

# Two released versions of the events of a client, a project and an invoice.
# A new version adds a line for each kind it changes; none is ever taken away.
RELEASED = {
    "05d09b12e7e2c28a",
    "c5e30dda67dd3179",
    "e466d649d98caeb3",
    "ea6cc370191b7fd2",
    "fd0e0db8b4dcbc5a",
    "fd223fe42983dc39",
}


def test_every_released_schema_is_still_read() -> None:
    missing = RELEASED - {mark.hex() for mark in shipped()}
    assert missing == set(), "copy the schemas of before to schemas/history/ (docs/how-to/add-a-field.md)"


def test_the_current_schemas_are_on_the_list() -> None:
    assert {schema.fingerprint.hex() for schema in current().values()} <= RELEASED, "add the new fingerprints"
