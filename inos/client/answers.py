"""Results of calls as typed values: decimal strings become numbers, and members of a newer node are ignored."""

from typing import Any, TypeVar

import msgspec

from inos.client.errors import ClientError

T = TypeVar("T")


def convert(kind: type[T], value: Any, method: str) -> T:
    """Convert a result to `kind`.

    Raises:
        ClientError: "bad-response" naming the member that does not fit.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ClientError(
            "bad-response", f"the node's answer to {method} is not what this client knows: {error}"
        ) from error
