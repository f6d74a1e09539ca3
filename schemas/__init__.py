"""The event contract: what Kompass says, as Avro on Kafka and as small typed objects in this program.

Interface: `codec.Codec` turns the bytes of a Kafka value into an `events.Event` and back; `jsonlines` does so for JSON.

Units: money and quantities are `Decimal` with the digits that Kompass sent; moments are aware UTC; a `sequence` is a whole number that
grows with each change of a record. An event has 2 MiB at most.

Errors: `errors.SchemasError`. Its `UndecodableEvent` says that these bytes will never be read, `RegistryUnavailable` that
they may be later.

Source: the `*.avsc` files here, which docs/events.md explains member by member.
"""
