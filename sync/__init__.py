"""The core that pipeline and admin share: the life of a link, the one decision, an attempt from plan to answer, and the settings.

Interface: `steps.Steps` has claim, send and settle as plain functions. `decide.predict` decides without a lock, a write or a call.
`by_hand` is what a person decides about one link. `settings` reads the environment. `link` alone changes a link's state.

Shapes: `attempt.Attempt` is one call, `batches.Batch` what goes in one request, `settle.Answer` what came back. Units: seconds; a moment
that is compared within a process is monotonic, one that is stored is aware UTC by the database's clock.

Errors: sending raises nothing, since its attempts would stay without an answer. Claim and settle raise the database's errors and may be
repeated. `settings.environment.BadSetting` names a wrong setting, `by_hand.CannotLink` why a link by hand cannot be.

Source: docs/architecture.md, docs/decisions.
"""
