"""Reads every secret that stands in a file: passwords, phrases, keys and tokens, so that all programs read the same.

An editor may add a byte order mark and line ends, which are never part of a secret. Blanks at the ends of a password
may be, and nobody sees them: such a file is refused.
"""

import os
import stat
from pathlib import Path
from typing import Final

from inos.primitives.errors import InosError

MAX_SECRET_BYTES: Final = 4096
OTHERS: Final = 0o077
"""The bits of a file's mode for other users."""


class SecretFileError(InosError):
    """A file holds no secret that may be used: "file-unreadable", "empty-secret", "secret-lines", "secret-blanks",
    "secret-open".
    """


def read_secret_text(path: Path, what: str, *, are_blanks_meant: bool = False, refused_mode: int = 0) -> str:
    """Return the secret in a file, without byte order mark and line ends.

    Args:
        what: what the file holds, for messages.
        are_blanks_meant: a blank at either end might belong to the secret, as in a password. Elsewhere blanks are
            dropped, and lines joined.
        refused_mode: the file is refused if it has any of these mode bits.

    Raises:
        SecretFileError.
    """
    try:
        with path.expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretFileError("file-unreadable", f"cannot read the {what} from {path}: {error.strerror}") from error
    if stat.S_ISREG(mode) and mode & refused_mode:
        raise SecretFileError(
            "secret-open", f"other users can read or change the {what} in {path}", hint=f"chmod 600 {path}"
        )
    text = _decode(data, path, what).rstrip("\r\n")
    if not text.strip():
        raise SecretFileError("empty-secret", f"the {what} in {path} is empty")
    if not are_blanks_meant:
        return " ".join(text.split())
    if "\n" in text or "\r" in text:
        raise SecretFileError(
            "secret-lines", f"the {what} in {path} has several lines", hint="write it in one line, and nothing else"
        )
    if has_blanks(text):
        raise SecretFileError(
            "secret-blanks",
            f"the {what} in {path} begins or ends with a blank",
            hint=f"remove it from the file; or type the {what} at the prompt, if the blank belongs to it",
        )
    return text


def is_open_to_others(path: Path) -> bool:
    """Return True if other users of this machine can read a file."""
    try:
        mode = path.expanduser().stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & OTHERS)


def has_blanks(text: str) -> bool:
    """Return True if a text begins or ends with a blank."""
    return text != text.strip()


def _decode(data: bytes, path: Path, what: str) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretFileError(
            "file-unreadable", f"{path} is longer than {MAX_SECRET_BYTES} bytes; is it the right file?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SecretFileError(
            "file-unreadable", f"the {what} in {path} is not UTF-8 text", hint="save the file as UTF-8"
        ) from error
    if "\0" in text:
        raise SecretFileError(
            "file-unreadable", f"the {what} in {path} is not text: it holds zero bytes", hint="save the file as UTF-8"
        )
    return text
