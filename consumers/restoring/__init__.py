"""After a restore: the database is behind Kafka and QuickBooks, and has to catch up with both before it sends anything."""
