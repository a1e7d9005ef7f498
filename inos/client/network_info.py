"""What a client learns once about its node's network."""

from typing import Any

import msgspec
from msgspec import Struct

from inos.client.errors import ClientError
from inos.consensus.params import Params

TARGETS = ("genesis_target", "max_target")


class NetworkInfo(Struct, frozen=True):
    """The network's consensus parameters, the prefix of its addresses, and its genesis id in hex."""

    params: Params
    hrp: str
    genesis: str


def read_params(answer: Any) -> Params:
    """Convert the result of chain_getParams: amounts come as decimal strings, targets as hex.

    Raises:
        ClientError: "bad-response".
    """
    try:
        # Targets have 256 bits and msgspec's integers 64, so they are put in afterwards.
        small = msgspec.convert(dict(answer) | dict.fromkeys(TARGETS, 0), Params, strict=False)
        return msgspec.structs.replace(small, **{name: int(answer[name], 16) for name in TARGETS})
    except (KeyError, TypeError, ValueError) as error:
        raise ClientError("bad-response", f"the node's parameters are not what this client knows: {error}") from error
