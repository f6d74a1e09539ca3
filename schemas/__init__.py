"""The event contract: what Kompass says, as Avro on Kafka and as small typed objects in this program."""
