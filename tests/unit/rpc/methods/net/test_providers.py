"""net_findProviders and net_provide."""

import numpy as np

from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_providers_of_a_matrix(ask: Ask, node: FakeNode) -> None:
    id = node.store.put(np.zeros((1, 4), np.int8)).matrix_id.hex()
    answer = await ask("net_findProviders", id=id, limit=2)
    assert answer["count"] == 2
    assert answer["providers"][1] == {"id": node.node_id.hex(), "host": "192.0.2.7", "port": 2}
    assert await ask("net_findProviders", id="00" * 32) == {"count": 0, "providers": []}
    assert await ask("net_provide", id=id) == {"recorded_by": 20}
