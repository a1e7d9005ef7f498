"""A new node takes a final state from several peers at once; some of them lie about it, or about what is final."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from inos.chain.snapshot import ranges
from inos.consensus.finality.trust import Step
from inos.consensus.params import Params
from inos.consensus.stateranges import Place, Records, StateRange
from inos.genesis import Network
from inos.network.settings import NetworkSettings
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import InosError
from inos.primitives.units import BlockId
from inos.primitives.votes import Checkpoint
from support.chain_maker import EASY, Branch
from support.final_chain import grow_voted, make_voted_branch
from support.sim_node import SimNode
from support.sim_world import World, simulate

pytestmark = pytest.mark.long

EPOCHS = 5
FINAL_HEIGHT = (EPOCHS - 1) * EASY.epoch_blocks
SKEW_MS = 10**7
"""The chain was made before the simulation begins."""
CROWD = 1500
RANGE_BYTES = 4096
"""The limit is small, so that a small state comes in many parts."""
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def branch() -> Branch:
    return make_voted_branch(EPOCHS, CROWD)


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MAX_RANGE_BYTES", RANGE_BYTES)


class Liar:
    """A node's port with some answers replaced."""

    def __init__(self, node: SimNode, **lies: Any) -> None:
        self._real = node.core
        for name, lie in lies.items():
            setattr(self, name, lie)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def lie_about_records(node: SimNode) -> Liar:
    """Give an account more than it has."""

    async def read_range(block: BlockId, place: Place) -> StateRange | None:
        found = await node.core.past_states.read_range(block, place)
        if found is None or not isinstance(found.content, Records):
            return found
        (key, value), *rest = found.content.records
        return StateRange(found.siblings, Records(((key, value[:-1] + b"\7"), *rest)))

    return Liar(node, past_states=SimpleNamespace(read_range=read_range))


def lie_about_steps(node: SimNode) -> Liar:
    """Claim that fewer voters signed, and that it was another committee."""

    def list_steps(first: int, limit: int) -> list[Step]:
        steps = node.ledger.list_steps(first, limit)
        bad = msgspec.structs.replace(steps[0].aggregate, signature=steps[-1].aggregate.signature)
        return [msgspec.structs.replace(steps[0], aggregate=bad), *steps[1:]]

    class Ledger:
        def __getattr__(self, name: str) -> Any:
            return getattr(node.ledger, name)

    ledger = Ledger()
    ledger.list_steps = list_steps  # type: ignore[attr-defined]
    return Liar(node, ledger=ledger)


def keep_silent(node: SimNode) -> Liar:
    """Have the chain, but serve no state."""

    async def read_range(block: BlockId, place: Place) -> None:
        return None

    return Liar(node, past_states=SimpleNamespace(read_range=read_range))


async def make_sources(world: World, branch: Branch, wraps: list[Any]) -> list[SimNode]:
    state = branch.genesis
    world.use_chain(Network(EASY, state, compute_block_id(state.header), "sim", "simulation", ()))
    world.mint.mined |= {made.id: made.witness for made in branch.blocks}
    sources = [world.add_node(skew_ms=SKEW_MS, wrap=wrap) for wrap in wraps]
    for node in sources:
        for made in branch.blocks:
            node.full_ledger.add_block(made.block, made.witness, node.clock.now_ms())
    return sources


def run(
    branch: Branch, wraps: list[Any], check: Callable[[World, list[SimNode], SimNode], Awaitable[None]], **more: Any
) -> None:
    async def scenario(world: World) -> None:
        sources = await make_sources(world, branch, wraps)
        new = world.add_node(NetworkSettings(**more), skew_ms=SKEW_MS, awaits_state=0)
        world.link(new, *sources)
        await world.start()
        await check(world, sources, new)

    params: Params = EASY
    simulate(scenario, 1, params=params)


async def follow(world: World, new: SimNode, branch: Branch) -> None:
    await world.until(lambda: new.ledger.tip.id == branch.tip_id, LIMIT_S)
    new.full_ledger.check()
    assert new.ledger.get_block(branch.blocks[FINAL_HEIGHT - 1].id) is None, "blocks up to the final one were executed"
    assert new.ledger.get_block(branch.blocks[FINAL_HEIGHT].id) is not None


def test_state_proven_from_genesis_on_from_several_peers_of_which_one_lies(branch: Branch) -> None:
    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await follow(world, new, branch)
        assert world.count_bans(sources[:1]) == 1, "the liar was not found out"
        assert world.count_bans(sources[1:]) == 0, "an honest node was banned"

    run(branch, [lie_about_records, None, keep_silent, None], check)


def test_peer_that_lies_about_what_is_final(branch: Branch) -> None:
    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await follow(world, new, branch)
        assert world.count_bans(sources[:1]) == 1
        assert world.count_bans(sources[1:]) == 0

    run(branch, [lie_about_steps, None, None], check)


def test_node_begins_near_a_checkpoint_it_was_given(branch: Branch) -> None:
    given = Checkpoint(2, branch.blocks[2 * EASY.epoch_blocks - 1].id)

    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await follow(world, new, branch)

    run(branch, [None, None], check, checkpoint=given)


def test_checkpoint_at_another_height_is_refused(branch: Branch) -> None:
    given = Checkpoint(3, branch.blocks[2 * EASY.epoch_blocks - 1].id)

    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await asyncio.sleep(LIMIT_S)

    with pytest.raises(BaseException) as caught:  # noqa: PT011 -- however deep in groups
        run(branch, [None], check, checkpoint=given)
    assert get_code(caught.value) == "bad-checkpoint"


def test_network_without_finality_is_synced_from_genesis() -> None:
    quiet = Branch(EASY)
    quiet.grow_by(20)

    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await world.until(lambda: new.ledger.tip.id == quiet.tip_id, LIMIT_S)
        assert new.ledger.get_block(quiet.blocks[0].id) is not None

    run(quiet, [None, None], check)


def test_node_that_began_with_a_state_helps_the_next_one(branch: Branch) -> None:
    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        await follow(world, new, branch)
        assert new.ledger.list_steps(1, 99) == sources[0].ledger.list_steps(1, 99)
        for node in sources:
            await node.stop()
        last = world.add_node(skew_ms=SKEW_MS, awaits_state=0)
        world.link(last, new)
        await world.start([last])
        await follow(world, last, branch)
        assert world.count_bans([new]) == 0

    run(branch, [None, None], check)


def test_pruned_nodes_give_a_new_node_the_state_and_what_follows(branch: Branch) -> None:
    async def check(world: World, sources: list[SimNode], new: SimNode) -> None:
        for source in sources:
            assert source.full_ledger.prune(0, 1000) == FINAL_HEIGHT - 1
        await follow(world, new, branch)
        assert new.ledger.first_block == FINAL_HEIGHT + 1
        assert new.ledger.base_height == FINAL_HEIGHT
        assert world.count_bans(sources) == 0

    run(branch, [None, None], check)


def test_node_that_executes_every_block_asks_a_pruned_one_for_none_that_it_lacks(branch: Branch) -> None:
    asked: list[BlockId] = []

    class Ledger:
        def __init__(self, node: SimNode) -> None:
            self._node = node

        def __getattr__(self, name: str) -> Any:
            return getattr(self._node.ledger, name)

        def get_witness(self, block: BlockId) -> Any:
            asked.append(block)
            return self._node.ledger.get_witness(block)

    async def scenario(world: World) -> None:
        sources = await make_sources(world, branch, [None, lambda node: Liar(node, ledger=Ledger(node))])
        sources[1].full_ledger.prune(0, 1000)
        new = world.add_node(skew_ms=SKEW_MS)
        world.link(new, *sources)
        await world.start()
        await world.until(lambda: new.ledger.tip.id == branch.tip_id, LIMIT_S)
        assert world.count_bans(sources) == 0

    simulate(scenario, 1, params=EASY)
    lacking = {made.id for made in branch.blocks[: FINAL_HEIGHT - 1]}
    assert lacking.isdisjoint(asked)


def test_two_proofs_that_contradict_are_believed_by_nobody() -> None:
    one = make_voted_branch(EPOCHS)
    other = one.fork()
    grow_voted(one, 2 * EASY.epoch_blocks)
    other.grow(nonce=9)
    grow_voted(other, 3 * EASY.epoch_blocks - 1)

    async def scenario(world: World) -> None:
        sources = await make_sources(world, one, [None])
        world.mint.mined |= {made.id: made.witness for made in other.blocks}
        sources.append(world.add_node(skew_ms=SKEW_MS))
        for made in other.blocks:
            sources[1].full_ledger.add_block(made.block, made.witness, sources[1].clock.now_ms())
        new = world.add_node(skew_ms=SKEW_MS, awaits_state=0)
        world.link(new, *sources)
        await world.start()
        await asyncio.sleep(LIMIT_S)

    with pytest.raises(BaseException) as caught:  # noqa: PT011 -- however deep in groups
        simulate(scenario, 1, params=EASY)
    assert get_code(caught.value) == "conflicting-finality"


def get_code(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, InosError), error
    return error.code
