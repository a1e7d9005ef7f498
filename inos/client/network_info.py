"""What a client learns once of its node's network."""

from typing import Any

import msgspec
from msgspec import Struct

from inos.client.errors import ClientError
from inos.consensus.params import Params

TARGETS = ("genesis_target", "max_target")


class NetworkInfo(Struct, frozen=True):
    """Parameters, address prefix, and the genesis id in hex."""

    params: Params
    hrp: str
    genesis: str


def read_params(answer: Any) -> Params:
    """chain_getParams as `Params`: amounts from decimal strings, targets from hex.

    Raises:
        ClientError: "bad-response".
    """
    try:
        small = msgspec.convert(dict(answer) | dict.fromkeys(TARGETS, 0), Params, strict=False)
        # Targets have 256 bits and msgspec's integers 64, so they are put in afterwards.
        return msgspec.structs.replace(small, **{name: int(answer[name], 16) for name in TARGETS})
    except (KeyError, TypeError, ValueError) as error:
        raise ClientError("bad-response", f"the node's parameters are not what this client knows: {error}") from error
