"""What the demo and the tests run instead of your own Postgres, Kafka and mail server: real servers, kept small.

Each is a context manager that gives its address, and a process of its own in the demo. Never more than a demo: nothing
here survives a restart on purpose.
"""
