"""The bearer token of the protected methods: one per data directory, readable by its owner alone."""

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from inos.rpc.errors import REFUSED, RpcError

TOKEN_BYTES: Final = 32
TOKEN_LETTERS: Final = 2 * TOKEN_BYTES


def load_or_create_token(path: Path) -> str:
    """The token in `path` (64 hex digits), made on the first start with mode 0600.

    Raises:
        RpcError: "token-unreadable", or "token-damaged" where the file holds something else.
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
    """The token in an existing file; errors as `load_or_create_token`."""
    try:
        with path.open("rb") as file:
            token = file.read(TOKEN_LETTERS + 2).strip().decode("ascii", "replace")
    except OSError as error:
        raise RpcError(
            REFUSED,
            "token-unreadable",
            f"cannot read the token in {path}: {error.strerror}",
            hint="it lies in the data directory of the node, and only the node's user may read it",
        ) from error
    if len(token) != TOKEN_LETTERS or any(letter not in "0123456789abcdef" for letter in token):
        raise RpcError(
            REFUSED,
            "token-damaged",
            f"{path} does not hold a token of {TOKEN_LETTERS} hex digits",
            hint="delete the file; the node makes a new one when it starts",
        )
    return token


def is_authorized(header: str, token: str) -> bool:
    """Whether an Authorization header carries the token; takes the same time for every wrong one."""
    scheme, _, given = header.partition(" ")
    # A header may hold any bytes; those that are no UTF-8 arrive as lone surrogates.
    sent = given.strip().encode(errors="surrogateescape")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent, token.encode())
