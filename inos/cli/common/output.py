"""What commands print: JSON, errors, warnings; and how errors of Python become errors for people."""

import errno
import json
import sys
from typing import Any, Final, NoReturn, TextIO

from inos.hints import HINTS
from inos.primitives.errors import InosError
from inos.primitives.printable import make_printable

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


class CommandError(InosError):
    """A command cannot continue, because of what it was given or what it found."""


def fail(code: str, message: str, hint: str = "") -> NoReturn:
    """End the command with an error.

    Raises:
        CommandError: always.
    """
    raise CommandError(code, message, hint=hint)


def print_text(text: str, *, start: str = "", end: str = "\n", file: TextIO | None = None, flush: bool = False) -> None:
    """Print text that may come from a file or node of others: what no terminal should be sent is escaped.

    Args:
        start, end: are printed as they are. file: stdout by default.
    """
    print(f"{start}{make_printable(text)}", end=end, file=file, flush=flush)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    print_text(json.dumps(value, indent=2, ensure_ascii=False))


def print_progress(text: str) -> None:
    """Print a line about what the command does now on stderr, so that stdout holds the result alone."""
    print_text(text, file=sys.stderr, flush=True)


def print_error(error: InosError, *, as_json: bool) -> None:
    """Print an error on stderr; with `as_json` as an object on stdout instead."""
    hint = error.hint or HINTS.get(error.code, "")
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": hint}})
        return
    print_text(f"error [{error.code}]: {error.message}", file=sys.stderr)
    if hint:
        print_text(f"  {hint}", file=sys.stderr)


def print_warning(message: str) -> None:
    """Print a warning on stderr."""
    print_text(f"warning: {message}", file=sys.stderr)


def to_inos_error(error: BaseException) -> InosError | None:
    """Return the error as one for people, or None if it is a bug of this program or an exception of typer."""
    if isinstance(error, BaseExceptionGroup):
        return next((known for known in map(to_inos_error, error.exceptions) if known is not None), None)
    if isinstance(error, InosError):
        return error
    if isinstance(error, UnicodeEncodeError):
        where = make_printable(str(error.object)[:80])
        return CommandError("not-text", f"{where!r} has bytes that are not text", hint="type it in UTF-8")
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # what pathlib raises
        hint = "set HOME, or name the folders with --data-dir and --wallet-dir"
        return CommandError("no-home", "there is no home directory: HOME is not set, and the user has none", hint=hint)
    if not isinstance(error, OSError) or isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, TimeoutError):
        return CommandError("timeout", f"no answer came in time: {error}" if str(error) else "no answer came in time")
    if isinstance(error, ConnectionError) or error.errno == errno.ECONNREFUSED:
        return CommandError("node-unreachable", f"cannot reach the node: {error}")
    if error.errno == errno.ENOSPC:
        text = f"the disk is full{f' at {error.filename}' if error.filename else ''}"
        return CommandError("disk-full", text, hint="free some room, or name another disk with TMPDIR or --data-dir")
    place = f"{error.filename}: " if error.filename else ""
    return CommandError("system", f"{place}{error.strerror or error}")
