"""A few seeds of finality's adversaries on the whole simulated network."""

import asyncio

import pytest

from inos.primitives.units import Height
from simulation.common import check_honest
from simulation.finality_network import (
    ACCOUNTS,
    EPOCH_S,
    VotingNode,
    are_finals_one_chain,
    begin,
    get_address,
    make_voting_params,
    wait_final,
)
from support.sim_world import World, simulate

pytestmark = pytest.mark.long

PARAMS = make_voting_params()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_divided_network_goes_on_as_one_when_it_heals(seed: int) -> None:
    """One voter of six is silent and the rest is divided, so at most one half has two thirds; afterwards all continue
    as one.
    """

    async def scenario(world: World) -> None:
        voters = [VotingNode(world, number, is_voting=number > 0) for number in range(6)]
        await begin(world, voters)
        await wait_final(world, voters, 0, 12)
        world.split([each.node for each in voters[:3]], [each.node for each in voters[3:]])
        await asyncio.sleep(4 * EPOCH_S)  # votes cast before may justify one more checkpoint
        before = [max(each.final for each in half) for half in (voters[:3], voters[3:])]
        await asyncio.sleep(4 * EPOCH_S)
        after = [max(each.final for each in half) for half in (voters[:3], voters[3:])]
        assert sum(new > old for old, new in zip(before, after, strict=True)) <= 1, "both halves finalized"
        assert are_finals_one_chain(world, voters)
        world.heal()
        await wait_final(world, voters, max(after) + 4, 16)
        assert are_finals_one_chain(world, voters)
        assert not any(each.node.core.votes.pool.get_evidence() for each in voters)
        check_honest(world, [each.node for each in voters])

    simulate(scenario, seed, params=PARAMS, accounts=ACCOUNTS)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_longer_branch_across_a_final_block_is_left_alone(seed: int) -> None:
    """Four fifths of the hash rate mine secretly from below a block that becomes final, and publish everything
    at once.
    """

    async def scenario(world: World) -> None:
        voters = [VotingNode(world, number) for number in range(5)]
        thief = VotingNode(world, 9, is_voting=False)
        honest = [each.node for each in voters]
        await begin(world, [*voters, thief])
        await wait_final(world, voters, 0, 12)
        world.split(honest, [thief.node])
        world.stop_mining()
        world.mine({node: 0.2 / len(honest) for node in honest} | {thief.node: 0.8})
        before = max(each.final for each in voters)
        await wait_final(world, voters, before + 8, 60)
        kept = max(voters, key=lambda each: each.final).node.ledger.final
        assert thief.node.ledger.tip.weight > max(node.ledger.tip.weight for node in honest)
        world.heal()
        await asyncio.sleep(6 * EPOCH_S)
        for each in voters:
            assert each.node.ledger.get_block_id(Height(kept.header.height)) == kept.id, "a final block was undone"
        # The thief's own node, too, believes the votes more than the work, as any that comes late does.
        await world.until(lambda: thief.node.ledger.get_block_id(Height(kept.header.height)) == kept.id, 6 * EPOCH_S)
        assert are_finals_one_chain(world, [*voters, thief])
        check_honest(world, honest)

    simulate(scenario, seed, params=PARAMS, accounts=ACCOUNTS)


@pytest.mark.parametrize("seed", [5])
def test_who_votes_in_both_halves_of_a_divided_network_is_caught_when_it_heals(seed: int) -> None:
    """Three keys of five run twice, one in each half: both halves finalize, and every node learns who did it."""

    async def scenario(world: World) -> None:
        left = [VotingNode(world, number) for number in (0, 2, 3, 4)]
        right = [VotingNode(world, number) for number in (1, 2, 3, 4)]
        everybody = left + right
        world.split([each.node for each in left], [each.node for each in right])
        await begin(world, everybody)
        await wait_final(world, everybody, 4, 20)
        assert not are_finals_one_chain(world, everybody), "each half has its own"
        assert not any(each.node.core.votes.pool.get_evidence() for each in everybody)
        guilty = [each for each in left[1:] if list_voted(left[0], each.key) & list_voted(right[0], each.key)]
        assert len(guilty) >= 2, "no two chains become final unless a third of the weight votes for both"
        world.heal()
        twins = {each.key for each in guilty}
        await world.until(lambda: all(twins <= get_caught(each) for each in everybody), 12 * EPOCH_S)
        caught = set[bytes]().union(*(get_caught(each) for each in everybody))
        assert caught <= {each.key for each in left[1:]}, "an honest voter was caught"
        await world.until(lambda: not any(has_bond(each, twin) for each in everybody for twin in guilty), 9 * EPOCH_S)
        check_honest(world, [each.node for each in everybody])

    simulate(scenario, seed, params=PARAMS, accounts=ACCOUNTS)


def list_voted(voter: VotingNode, key: bytes) -> set[int]:
    """Return the epochs in which a node has votes of a key; a key that its half left out of the committee has none."""
    return {each.link.target.epoch for each in voter.node.core.votes.pool.get_latest(key)}


def get_caught(voter: VotingNode) -> set[bytes]:
    return {each.first.key for each in voter.node.core.votes.pool.get_evidence()}


def has_bond(voter: VotingNode, other: VotingNode) -> bool:
    """Return True if another voter's bond still exists on the node's chain."""
    return voter.node.ledger.state.get_voter(get_address(other.number)) is not None
