"""A follower walks along the best chain block by block, and back first if its block was disconnected.

It reads the ledger and not events. A reader that was disconnected or slow still sees every block once and in order.
"""

from typing import Final

from msgspec import Struct

from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import BUSY, RpcError, make_invalid_param, make_not_found
from inos.rpc.ports import NodePort

MAX_REPLAY: Final = 10_000
"""The most past blocks that a subscription reports; other methods list older ones."""


class Step(Struct, frozen=True):
    """A block was connected, or disconnected."""

    is_connected: bool
    id: BlockId
    header: Header


class Follower:
    """A position on the chain that moves step by step to the tip.

    Args:
        position: the last block that was seen.
    """

    def __init__(self, node: NodePort, position: BlockId) -> None:
        self._ledger = node.ledger
        self._position = position

    def step(self) -> Step | None:
        """Step back if the current block is off the best chain, else forward; return None at the tip.

        Raises:
            RpcError: "block-forgotten" if the node has deleted the branch of the current block.
        """
        header = self._ledger.get_header(self._position)
        if header is None:
            text = "the node has deleted the branch that the subscription was on"
            raise RpcError(BUSY, "block-forgotten", text, hint="subscribe again")
        if self._ledger.get_block_id(Height(header.height)) != self._position:
            step = Step(False, self._position, header)
            self._position = BlockId(header.parent)
            return step
        if header.height >= self._ledger.tip.header.height:
            return None
        following = self._ledger.get_block_id(Height(header.height + 1))
        found = None if following is None else self._ledger.get_header(following)
        if following is None or found is None or found.parent != self._position:
            return None  # The tip moved between two reads; its event is still to come.
        self._position = following
        return Step(True, following, found)


def make_follower(node: NodePort, from_height: int | None, after: str | None) -> Follower:
    """Return a follower that starts at a height, after a block given by id, or at the tip.

    Raises:
        RpcError: "block-unknown", "too-far-back".
    """
    tip = node.ledger.tip.header.height
    if after is not None:
        position = BlockId(bytes.fromhex(after))
        header = node.ledger.get_header(position)
        if header is None:
            raise make_not_found("block", after, hint="subscribe with from_height instead")
        _check_depth(tip, header.height + 1, "after")
        return Follower(node, position)
    if from_height is None or from_height > tip:
        return Follower(node, node.ledger.tip.id)
    _check_depth(tip, from_height, "from_height")
    before = node.ledger.get_block_id(Height(max(0, from_height - 1)))
    return Follower(node, node.ledger.tip.id if before is None else before)


def _check_depth(tip: int, first: int, param: str) -> None:
    if tip - first >= MAX_REPLAY:
        raise make_invalid_param(
            param,
            f"block {first} is {tip - first} blocks below the tip; a subscription starts at most {MAX_REPLAY} below it",
            code="too-far-back",
            hint="list older blocks with chain_listBlocks, state_getHistory or job_history",
        )
