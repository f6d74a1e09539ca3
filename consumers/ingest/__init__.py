"""Kafka → records: decode in batches, keep the newest state of each record, then commit the offsets."""
