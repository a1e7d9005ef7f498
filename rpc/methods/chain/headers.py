"""chain_getRawHeaders: headers as bytes, for light clients and receipts."""

from typing import Annotated, Final

from pydantic import Field

from inos.primitives.codec import encode
from inos.rpc.method import Example, method
from inos.rpc.models.values import BlockHeight, HexBytes, Model
from inos.rpc.ports import NodePort

MAX_HEADERS: Final = 512


class RawHeadersParams(Model):
    first: Annotated[BlockHeight, Field(description="The height of the first header.")]
    limit: Annotated[int, Field(ge=1, le=MAX_HEADERS, description="The most headers to return.")] = MAX_HEADERS


class RawHeadersModel(Model):
    """Headers of the best chain in ascending order; the first is at the height that was asked for."""

    headers: Annotated[
        list[HexBytes],
        Field(
            description="Canonical encodings; a block's id is H(\"header\", its header's bytes). Empty above the tip."
        ),
    ]
    height: Annotated[BlockHeight, Field(description="The height of this node's tip.")]


@method("chain_getRawHeaders", examples=(Example("the first two", {"first": 0, "limit": 2}),))
async def chain_get_raw_headers(node: NodePort, params: RawHeadersParams) -> RawHeadersModel:
    """Return headers of the best chain as bytes, for programs that check them themselves."""
    tip = node.ledger.tip.header.height
    headers = node.ledger.reader.list_headers(params.first, params.limit)
    return RawHeadersModel(headers=[encode(header).hex() for header in headers], height=tip)
