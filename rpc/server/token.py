"""The bearer token of the protected methods, in a file of the data directory that only its owner can read."""

import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from inos.primitives.secret_files import SecretFileError, read_secret_text
from inos.rpc.errors import REFUSED, RpcError

TOKEN_BYTES: Final = 32
TOKEN_LETTERS: Final = 2 * TOKEN_BYTES
NEW_TOKEN: Final = "delete the file and restart the node, which creates a new one"
TROUBLES: Final = {
    "file-unreadable": (
        "token-unreadable",
        "run the command as the user that runs the node, who alone may read the file",
    ),
    "secret-open": (
        "token-open",
        "delete the file, since others may know it, and restart the node, which creates a new one",
    ),
}
"""The code and the hint for each trouble with the file; anything else is damage."""


def load_or_create_token(path: Path) -> str:
    """Return the token in `path`, 64 hex digits; create it with mode 0600 if there is none.

    Raises:
        RpcError: "token-unreadable", "token-open" if all users may read the file, "token-damaged" if it holds no token.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(path)
    except OSError as error:
        raise RpcError(REFUSED, "token-unreadable", f"cannot write {path}: {error.strerror}") from error
    token = secrets.token_hex(TOKEN_BYTES)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    return token


def read_token(path: Path) -> str:
    """Return the token in an existing file; raise the errors of `load_or_create_token`."""
    try:
        token = read_secret_text(path, "token", refused_mode=stat.S_IRWXO)
    except SecretFileError as error:
        code, hint = TROUBLES.get(error.code, ("token-damaged", NEW_TOKEN))
        raise RpcError(REFUSED, code, error.message, hint=hint or error.hint) from error
    if len(token) != TOKEN_LETTERS or any(letter not in "0123456789abcdef" for letter in token):
        raise RpcError(
            REFUSED,
            "token-damaged",
            f"{path} does not hold a token of {TOKEN_LETTERS} hex digits",
            hint=NEW_TOKEN,
        )
    return token


def is_authorized(header: str, token: str) -> bool:
    """Return True if an Authorization header carries the token, in a time that does not depend on the wrong token."""
    scheme, _, given = header.partition(" ")
    # A header may hold any bytes; those that are not UTF-8 arrive as lone surrogates.
    sent = given.strip().encode(errors="surrogateescape")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent, token.encode())
