"""The processes and the commands: each topic's consumer, the notifier, and what an operator asks on the command line.

Interface: `cli` is `kompass-qbo`; `process.consume` and `notifier.process` are the processes. `runner.Reconciler` gives threads to the
steps of `sync.steps` and decides nothing.

Units: settings are in the unit that their name ends with; offsets are Kafka's; moments are aware UTC.

Errors: `errors.ConsumersError` ends a command with one line and the exit code that it carries. Anything else is a mistake of ours and is
logged with its traceback. A record of Kafka never ends a process: it becomes a dead letter.

Source: docs/commands.md, docs/kafka.md, docs/operations.md.
"""
