"""chain_usefulWork."""

import pytest

from inos.consensus.execution import BlockStats
from inos.primitives.units import BlockId
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_useful_work_of_an_empty_chain(ask: Ask) -> None:
    useful = await ask("chain_usefulWork")
    assert (useful["blocks"], useful["paid_share"], useful["burned_share"]) == (0, "0", "0")


async def test_a_window_is_never_shown_in_part(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that a reorg disconnects while they are read lose their stats; the window is then read again."""
    for _ in range(4):
        node.mine()
    whole = await ask("chain_usefulWork", window=3)
    assert (whole["from_height"], whole["to_height"], whole["blocks"]) == (2, 4, 3)
    get_block_stats, gaps = node.ledger.reader.get_block_stats, [2]

    def get_with_gaps(block: BlockId) -> BlockStats | None:
        if gaps[0] and node.ledger.get_header(block).height == 3:  # type: ignore[union-attr]
            gaps[0] -= 1
            return None
        return get_block_stats(block)

    monkeypatch.setattr(node.ledger, "get_block_stats", get_with_gaps)
    assert await ask("chain_usefulWork", window=3) == whole
    gaps[0] = 99
    assert (await ask("chain_usefulWork", window=3))["data"]["code"] == "tip-moving"
