"""Record + configuration + company facts → QBO payload, and why. Pure: no I/O, no clock, no database."""
