"""Django's backend for PostgreSQL, on which what an administrator set for our role changes nothing."""
