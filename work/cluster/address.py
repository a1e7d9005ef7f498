"""The address of a cluster as a person writes it, and the token that the cluster asks for."""

import os
from pathlib import Path
from typing import Final

from inos.primitives.errors import InosError

SCHEME: Final = "ray://"
HERE: Final = "auto"
"""ray://auto is the cluster that this machine is part of."""
TOKEN_FILE: Final = Path(".ray/auth_token")
"""Ray keeps the token here, in the user's home directory."""


class ClusterError(InosError):
    """The cluster cannot be used, or what it returned is wrong."""


def parse_address(text: str) -> tuple[str, int] | None:
    """Return host and port of ray://HOST:PORT, or None for ray://auto.

    Raises:
        ClusterError: "bad-engine".
    """
    host, _, port = text.removeprefix(SCHEME).rpartition(":")
    if text == SCHEME + HERE:
        return None
    if not text.startswith(SCHEME) or not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ClusterError(
            "bad-engine",
            f"{text!r} is no address of a cluster",
            hint="write ray://HEAD:10001, or ray://auto on a machine of the cluster",
        )
    return host, int(port)


def read_token() -> str:
    """Return the token, found where Ray looks for it: RAY_AUTH_TOKEN, the file RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token.

    Raises:
        ClusterError: "no-cluster-token".
    """
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / TOKEN_FILE)
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise ClusterError(
            "no-cluster-token",
            f"the cluster's token is neither in RAY_AUTH_TOKEN nor in {path}: {error.strerror}",
            hint="make one on the head and copy it to every machine, as docs/cluster.md shows",
        ) from error
    if not token:
        raise ClusterError("no-cluster-token", f"{path} is empty", hint="copy the token of the head there")
    return token
