"""Intuit's Accounting API and OAuth, for a client that must know what became of each call.

Interface: `transport.Transport.send` takes a `calls.Call` and gives one of the `outcomes`; `oauth` gets and refreshes tokens;
`verdicts.verdict` says what a refusal proves; `quota.permit` says which calls a company's limits allow now.

Units: durations and deadlines are seconds, on the clock that was injected; numbers in bodies are `Decimal` with the digits on the wire.

Errors: `errors.QboClientError`. What Intuit or the network does to a call is never raised: it is an `Outcome`, of which only `Unknown`
leaves open whether the call was done. The refreshing of a token raises `OAuthError`.

Source: developer.intuit.com; docs/intuit.md says what each page was taken for, and `simulator/` what is not known.
"""
