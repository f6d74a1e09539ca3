"""Record + configuration + company facts → QBO payload, and why. Pure: no I/O, no clock, no database.

Interface: `decide.decide_case` takes a `case.Case` and gives one of the `decisions`. `causes.table.words_of` gives the words of a cause.

Shapes: a payload is the JSON of QuickBooks' API as a dict; beside it are the reasons of its choices. Units: money is `Decimal` in the
document's currency, rounded half-up to the cent; dates are the document's, without a zone.

Errors: `results.Unmappable` carries every problem of a record at once, each with a stable cause, a sentence and a remedy. `decide_case`
raises nothing for a record: what is wrong with it is a `Fail`.

Source: docs/fields.md and docs/mapping.md; Intuit's API reference for lengths and members.
"""
