"""The Django Admin site in which a Kompass admin sets up the sync; its app `quickbooks_online` owns the database schema."""
