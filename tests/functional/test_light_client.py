"""Run `inos light` with real nodes: what it accepts, and what it reports about nodes that lie."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inos.bench.chains import Chain, make_chain
from inos.node.process import NodeSpec, start_node, stop_process
from inos.wallet.addresses import encode_address
from support.cluster import RpcFailed, ask, await_that
from support.light_client import Change, ask_light, run_liar, run_light

pytestmark = pytest.mark.long

BLOCKS = 44
FINAL = 36


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain") / "source", BLOCKS, 5, receivers=50, voters=3)


@contextlib.asynccontextmanager
async def run_source(chain: Chain) -> AsyncIterator[str]:
    flags = ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0", "--no-discovery")
    node = await start_node(NodeSpec("source", chain.folder, flags))
    try:
        yield node.rpc_url
    finally:
        await stop_process(node.process)


def get_address(chain: Chain) -> str:
    """Return an account that genesis funds."""
    funded = json.loads(chain.network.read_text())["allocations"]
    return str(next(iter(funded)) if isinstance(funded, dict) else funded[0]["address"])


async def await_round(url: str, least: int = 1) -> dict[str, Any]:
    async def is_done() -> dict[str, Any] | None:
        status: dict[str, Any] = await ask_light(url, "light_status")
        return status if status["rounds"] >= least else None

    return await await_that("the light client has asked everybody", is_done, 60)  # type: ignore[no-any-return]


@pytest.mark.timeout(120)
async def test_final_account_with_proof(chain: Chain, tmp_path: Path) -> None:
    async with run_source(chain) as node, run_light(tmp_path, chain.network, node) as light:
        status = await await_round(light)
        assert (status["height"], status["final_height"]) == (BLOCKS, FINAL)
        assert status["seals_checked"] >= 32
        address = get_address(chain)
        found = await ask_light(light, "state_getAccount", {"address": address, "prove": True})
        honest = await ask(node, "chain_getHeader", {"block": FINAL})
        assert (found["basis"], found["height"], found["block"]) == ("final", FINAL, honest["id"])
        assert found["proof"]["state_root"] == honest["state_root"]
        assert int(found["balance"]) > 0
        nobody = encode_address("dinos", b"\7" * 20)  # type: ignore[arg-type]
        assert (await ask_light(light, "state_getAccount", {"address": nobody}))["balance"] == "0"


def give_more(method: str, params: dict[str, Any], result: Any) -> Any:
    """Return a record with one byte changed, so that the account is richer."""
    if method == "light_prove" and result["value"]:
        result["value"] = result["value"][:-2] + f"{int(result['value'][-2:], 16) ^ 1:02x}"
    return result


def deny(method: str, params: dict[str, Any], result: Any) -> Any:
    """Claim that the account does not exist."""
    return result | {"value": None} if method == "light_prove" else result


def prove_another_block(method: str, params: dict[str, Any], result: Any) -> Any:
    """Tell the truth about another state."""
    return result | {"block": "ab" * 32} if method == "light_prove" else result


def forge_votes(method: str, params: dict[str, Any], result: Any) -> Any:
    """Return finality proofs with one byte of the last one changed."""
    if method == "light_finalityProofs" and result["proofs"]:
        step = bytearray.fromhex(result["proofs"][-1])
        step[len(step) // 2] ^= 1
        result["proofs"][-1] = step.hex()
    return result


def forge_headers(method: str, params: dict[str, Any], result: Any) -> Any:
    """Return a header with one byte changed in the middle."""
    if method == "chain_getRawHeaders" and result["headers"]:
        header = bytearray.fromhex(result["headers"][0])
        header[60] ^= 1
        result["headers"][0] = header.hex()
    return result


def forge_witness(method: str, params: dict[str, Any], result: Any) -> Any:
    """Return a strip with one byte changed."""
    if method == "light_witnesses" and result["witnesses"][0]:
        text = result["witnesses"][0]
        middle = len(text) // 8 * 2
        result["witnesses"][0] = text[:middle] + f"{int(text[middle : middle + 2], 16) ^ 1:02x}" + text[middle + 2 :]
    return result


LIES: list[tuple[Change, str]] = [
    (give_more, "lied-about-state"),
    (deny, "lied-about-state"),
    (prove_another_block, "lied-about-state"),
    (forge_votes, "lied-about-finality"),
    (forge_headers, "lied-about-headers"),
    (forge_witness, "lied-about-seals"),
]


@pytest.mark.timeout(180)
async def test_every_lie_is_named_and_believed_by_nobody(chain: Chain, tmp_path: Path) -> None:
    address = get_address(chain)
    async with run_source(chain) as node:
        for number, (lie, code) in enumerate(LIES):
            folder = tmp_path / f"alone{number}"
            async with run_liar(node, lie) as liar, run_light(folder, chain.network, liar) as light:
                await await_round(light)
                with pytest.raises(RpcFailed) as caught:
                    await ask_light(light, "state_getAccount", {"address": address})
                text = str(caught.value)
                assert liar in text
                assert "lied" in text
                assert "--node" in text
                (told,) = (await ask_light(light, "light_status"))["lies"]
                assert told["code"] == code, (lie.__name__, told)


@pytest.mark.timeout(120)
async def test_honest_node_beside_a_liar_is_believed_and_the_lie_told(chain: Chain, tmp_path: Path) -> None:
    async with (
        run_source(chain) as node,
        run_liar(node, give_more) as liar,
        run_light(tmp_path, chain.network, liar, node) as light,
    ):
        await await_round(light)
        found = await ask_light(light, "state_getAccount", {"address": get_address(chain)})
        assert found["source"] == node
        assert found["basis"] == "final"
        assert any(liar in warning for warning in found["warnings"])
        assert (await ask_light(light, "light_status"))["sources"] == [node]


@pytest.mark.timeout(120)
async def test_without_finality_answers_are_labelled(tmp_path: Path) -> None:
    quiet = make_chain(tmp_path / "quiet", 12, 2)
    async with run_source(quiet) as node, run_light(tmp_path / "light", quiet.network, node) as light:
        await await_round(light)
        found = await ask_light(light, "state_getAccount", {"address": get_address(quiet)})
        assert (found["basis"], found["height"]) == ("unfinalized", 12)
        assert (await ask_light(light, "light_status"))["final_height"] == 0


@pytest.mark.timeout(120)
async def test_light_client_begins_with_a_checkpoint(chain: Chain, tmp_path: Path) -> None:
    async with run_source(chain) as node:
        block = (await ask(node, "chain_getHeader", {"block": 16}))["id"]
        flags = ("--checkpoint", f"16:{block}")
        async with run_light(tmp_path / "a", chain.network, node, flags=flags) as light:
            assert (await await_round(light))["final_height"] == FINAL
        with pytest.raises(AssertionError, match="no epoch"):
            async with run_light(tmp_path / "b", chain.network, node, flags=("--checkpoint", f"17:{block}")):
                pass
