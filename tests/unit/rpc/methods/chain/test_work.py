"""chain_usefulWork."""

from inos.primitives.units import Height
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_useful_work_of_an_empty_chain(ask: Ask) -> None:
    useful = await ask("chain_usefulWork")
    assert (useful["blocks"], useful["paid_share"], useful["burned_share"]) == (0, "0", "0")


async def test_a_window_ends_at_genesis_or_where_the_node_began(ask: Ask, node: FakeNode) -> None:
    for _ in range(4):
        node.mine()
    whole = await ask("chain_usefulWork", window=3)
    assert (whole["from_height"], whole["to_height"], whole["blocks"]) == (2, 4, 3)
    assert (await ask("chain_usefulWork", window=1000))["blocks"] == 4
    node.ledger.base_height = Height(2)
    began = await ask("chain_usefulWork", window=1000)
    assert (began["from_height"], began["blocks"]) == (3, 2)
    node.ledger.base_height = Height(9)  # a state is being imported, and genesis is shown
    assert (await ask("chain_usefulWork", window=1000))["blocks"] == 0
