"""Walking along the best chain behind its tip, block by block, also where a part of it is undone.

The walk is read off the ledger and not off events: whoever was away, or slow, sees every block once and in order.
"""

from typing import Final

from msgspec import Struct

from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import BUSY, RpcError, make_invalid_param, make_not_found
from inos.rpc.ports import NodePort

MAX_REPLAY: Final = 10_000
"""Blocks told again to one who was away; what lies deeper is asked for by the other methods."""


class Step(Struct, frozen=True):
    """The chain grew by a block, or its last block was undone."""

    is_connected: bool
    id: BlockId
    header: Header


class Follower:
    """Stands on a block and steps towards the tip.

    Args:
        place: the last block that was seen.
    """

    def __init__(self, node: NodePort, place: BlockId) -> None:
        self._ledger = node.ledger
        self._place = place

    def step(self) -> Step | None:
        """One step: back, where the block stood on is off the best chain, else forward; None at the tip.

        Raises:
            RpcError: "block-forgotten", where the chain this follower stood on was dropped meanwhile.
        """
        header = self._ledger.get_header(self._place)
        if header is None:
            raise RpcError(BUSY, "block-forgotten", "the branch followed is gone", hint="subscribe again")
        if self._ledger.get_block_id(Height(header.height)) != self._place:
            step = Step(False, self._place, header)
            self._place = BlockId(header.parent)
            return step
        if header.height >= self._ledger.tip.header.height:
            return None
        following = self._ledger.get_block_id(Height(header.height + 1))
        found = None if following is None else self._ledger.get_header(following)
        if following is None or found is None or found.parent != self._place:
            return None  # the tip moved between two reads; the event of that comes next
        self._place = following
        return Step(True, following, found)


def make_follower(node: NodePort, from_height: int | None, after: str | None) -> Follower:
    """A follower that begins at a height, behind a block by id, or at the tip.

    Raises:
        RpcError: "block-unknown", "too-far-back".
    """
    tip = node.ledger.tip.header.height
    if after is not None:
        place = BlockId(bytes.fromhex(after))
        header = node.ledger.get_header(place)
        if header is None:
            raise make_not_found("block", after, hint="subscribe from a height instead")
        _check_depth(tip, header.height + 1, "after")
        return Follower(node, place)
    if from_height is None or from_height > tip:
        return Follower(node, node.ledger.tip.id)
    _check_depth(tip, from_height, "from_height")
    before = node.ledger.get_block_id(Height(max(0, from_height - 1)))
    return Follower(node, node.ledger.tip.id if before is None else before)


def _check_depth(tip: int, first: int, param: str) -> None:
    if tip - first >= MAX_REPLAY:
        raise make_invalid_param(
            param,
            f"block {first} is {tip - first} blocks back; at most {MAX_REPLAY} are told again",
            code="too-far-back",
            hint="read older blocks with chain_listBlocks, state_getHistory or job_history",
        )
