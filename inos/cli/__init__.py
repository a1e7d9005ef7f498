"""The commands of `inos`, one module each; `main` loads a module when its command is called.

A module exposes `app` (a `typer.Typer`, for a family of commands) or `command` (a function,
for a single one). It raises errors of `inos.primitives.errors` and leaves printing them to
`inos.cli.main`; `_common` holds what several commands need.
"""
