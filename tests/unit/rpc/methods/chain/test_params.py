"""chain_getParams."""

from support.rpc_served import Ask


async def test_parameters_of_the_network(ask: Ask) -> None:
    params = await ask("chain_getParams")
    assert params["network"] == "devnet"
    assert params["min_bond"] == "100000000"
    assert params["max_target"] == "0f" + "ff" * 31
