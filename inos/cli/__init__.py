"""The commands of `inos`: one module or package each, which `main` loads when the command is called.

A command exposes `app` (a `typer.Typer`, for a family of commands) or `command` (a function, for a single one). It
raises errors of `inos.primitives.errors`, and `main` prints them. `common` holds what several commands share.

A command does no work of its own: it reads options, calls a package, and prints the result.
"""
