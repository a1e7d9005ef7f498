"""finality_listEpochs."""

from typing import Any

from inos.primitives.units import Height
from inos.rpc.methods.finality.epochs import MAX_EPOCHS
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_ended_epochs_are_listed_newest_first_in_pages(ask: Ask, node: FakeNode) -> None:
    assert await ask("finality_listEpochs") == {"epochs": [], "next": None}
    length = node.params.epoch_blocks
    for _ in range(3 * length + 1):
        node.mine()
    whole = (await ask("finality_listEpochs"))["epochs"]
    assert [(each["epoch"], each["height"]) for each in whole] == [(3, 3 * length), (2, 2 * length), (1, length)]
    assert all(each["votes"] is None and each["finality"] == "none" for each in whole)
    block = node.ledger.get_block_id(Height(length))
    assert whole[-1]["id"] == (block or b"").hex()
    paged: list[Any] = []
    last = None
    while True:
        page = await ask("finality_listEpochs", limit=1, last=last)
        paged += page["epochs"]
        last = page["next"]
        if last is None:
            break
    assert paged == whole
    assert (await ask("finality_listEpochs", last=10**9))["epochs"] == whole
    assert (await ask("finality_listEpochs", limit=MAX_EPOCHS + 1))["code"] == -32602
