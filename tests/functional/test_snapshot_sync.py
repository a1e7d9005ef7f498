"""Among real nodes, a new one takes a final state from two others, follows, survives a kill meanwhile, and mines."""

import contextlib
import shutil
from pathlib import Path

import pytest

from inos.bench.chains import Chain, make_chain
from inos.core.errors import NodeError
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from support.cluster import RpcFailed, ask, await_height, await_that

BLOCKS = 44
EPOCH = 8
FINAL = 36
"""A later block justifies checkpoint 40 and so makes 32 final."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain") / "source", BLOCKS, 50, receivers=1500, voters=3)


def common(chain: Chain) -> tuple[str, ...]:
    return ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0", "--no-discovery", "--threads", "1")


async def start_sources(stack: contextlib.AsyncExitStack, chain: Chain, folder: Path) -> list[RunningNode]:
    found = []
    for name in ("a", "b"):
        shutil.copytree(chain.folder, folder / name)
        found.append(await start_node(NodeSpec(name, folder / name, common(chain))))
        stack.push_async_callback(stop_process, found[-1].process)
    return found


async def has_block(node: RunningNode, height: int) -> bool:
    try:
        await ask(node.rpc_url, "chain_getBlock", {"block": height})
    except RpcFailed as error:
        if error.code == "block-removed":
            return False
        raise
    return True


@pytest.mark.timeout(120)
async def test_new_node_takes_a_final_state_and_follows(chain: Chain, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sources = await start_sources(stack, chain, tmp_path)
        places = [node.p2p_address for node in sources]
        spec = NodeSpec("new", tmp_path / "new", (*common(chain), "--snapshot", "--filler-rate", "20"))
        new = await start_node(spec, places)
        stack.push_async_callback(stop_process, new.process)
        await await_height(new.rpc_url, BLOCKS)
        head, expected = await ask(new.rpc_url, "chain_head"), await ask(sources[0].rpc_url, "chain_head")
        assert head["id"] == expected["id"]
        assert not await has_block(new, FINAL)
        assert await has_block(new, FINAL + 1)
        useful = await ask(new.rpc_url, "chain_usefulWork", {"window": 100})
        assert useful["blocks"] == BLOCKS - FINAL
        supply = await ask(new.rpc_url, "state_supply", {"audit": True})
        assert supply["is_conserved"]

        # After a restart without flags it has the same tip, and the others accept what it mines.
        await stop_process(new.process)
        mining = NodeSpec("new", tmp_path / "new", (*common(chain), "--mine", "auto", "--filler-rate", "20"))
        again = await start_node(mining, places)
        stack.push_async_callback(stop_process, again.process)
        await await_height(sources[1].rpc_url, BLOCKS + 1)


@pytest.mark.timeout(120)
async def test_checkpoint_on_the_command_line(chain: Chain, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sources = await start_sources(stack, chain, tmp_path)
        places = [node.p2p_address for node in sources]
        block = (await ask(sources[0].rpc_url, "chain_getHeader", {"block": 2 * EPOCH}))["id"]

        with pytest.raises(NodeError, match="no epoch of devnet ends at height 17"):
            await start_node(NodeSpec("bad", tmp_path / "bad", (*common(chain), "--checkpoint", f"17:{block}")), places)
        wrong = NodeSpec("wrong", tmp_path / "wrong", (*common(chain), "--checkpoint", f"24:{block}"))
        lost = await start_node(wrong, places)
        stack.push_async_callback(stop_process, lost.process)

        spec = NodeSpec("new", tmp_path / "new", (*common(chain), "--checkpoint", f"{2 * EPOCH}:{block}"))
        new = await start_node(spec, places)
        stack.push_async_callback(stop_process, new.process)
        await await_height(new.rpc_url, BLOCKS)
        assert not await has_block(new, FINAL), "the latest final block is better than the one given"

        async def has_ended() -> bool:
            return lost.process.returncode is not None

        await await_that("the node with a wrong height ends", has_ended, 30)
        log = (tmp_path / "wrong" / "node.log").read_text()
        assert "which is not the epoch that --checkpoint names" in log
        assert "Traceback" not in log
