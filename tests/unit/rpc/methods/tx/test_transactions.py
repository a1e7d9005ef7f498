"""tx_send, tx_pool and tx_estimateFee."""

from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import Transfer
from support.fake_node import FakeNode
from support.rpc_requests import BOB, sign
from support.rpc_served import Ask


async def test_bad_transactions_are_refused(ask: Ask, node: FakeNode) -> None:
    good = sign(node, Transfer(BOB.address, 100_005))
    for bad, code in (("zz", "not-hex"), ("abc", "not-hex"), (good[:-2], "malformed"), (good + "00", "malformed")):
        error = await ask("tx_send", bad)
        assert (error["code"], error["data"]["code"]) == (-32602, code)
        assert error["data"]["param"] == "hex"
    for spelled in (good[:8] + " " + good[8:], "0x" + good, good + "\n\n", good[:-1] + "\uff10"):
        assert (await ask("tx_send", spelled))["data"]["code"] == "not-hex"
    assert (await ask("tx_send", "00" * 4097))["code"] == -32602
    node.refusal = RuleViolation("bad-chain-id", "the chain id", expected=1337, got=7)
    error = await ask("tx_send", good)
    assert error["code"] == -32003
    assert error["data"] == {"code": "bad-chain-id", "expected": "1337", "got": "7"}
    assert len(node.mempool) == 0


async def test_fees(ask: Ask) -> None:
    assert await ask("tx_estimateFee") == {"fee": "1000", "fee_per_byte": "2"}
    assert await ask("tx_estimateFee", size=140, payments=256) == {"fee": "1000", "fee_per_byte": "1"}
    assert (await ask("tx_estimateFee", payments=257))["code"] == -32602
