"""The bond of a voting node, and what its owner's settings say about it."""

import pytest
from msgspec.structs import replace

from inos.agents.voter.bonds import NO_BONDS, BondLimits, compute_needed_bond, compute_next_lock
from inos.consensus.records import Voter
from inos.core.errors import NodeError
from inos.genesis import Network, load_network
from inos.node.settings import NodeSettings
from inos.node.voting import is_voting, read_limits
from inos.primitives.units import Nano
from support.consensus_lab import PARAMS

RULES = replace(PARAMS, bond_leverage=5, min_voter_bond=Nano(100))
LIMITS = BondLimits(Nano(200), Nano(1000))
MUCH = 10**6


def lock(
    mined: int, bond: int | None, spendable: int = MUCH, limits: BondLimits = LIMITS, *, leaving: bool = False
) -> int:
    voter = None if bond is None else Voter(bytes(48), bond, 1, is_leaving=leaving)
    return compute_next_lock(RULES, limits, Nano(mined), voter, spendable)


def test_a_node_registers_once_it_mined_and_can_pay() -> None:
    assert lock(0, None) == 0
    assert lock(1, None) == 200
    assert lock(1, None, spendable=199) == 0
    assert lock(1, None, limits=NO_BONDS) == 0


def test_the_bond_follows_what_was_mined_with_a_quarter_to_spare() -> None:
    assert compute_needed_bond(RULES, Nano(1001)) == 201
    assert lock(1000, 200) == 0
    assert lock(1500, 200) == 375 - 200
    assert lock(1001, 200) == 100, "never less than an order may lock"
    assert lock(1500, 200, leaving=True) == 0


def test_the_bond_stays_within_what_the_owner_allows_and_has() -> None:
    assert lock(10_000, 600) == 400
    assert lock(10_000, 901) == 0, "what is allowed still is less than an order must lock"
    assert lock(10_000, 200, spendable=150) == 150
    assert lock(10_000, 200, spendable=99) == 0
    assert lock(10_000, 200, limits=BondLimits(Nano(200), Nano(200))) == 0


@pytest.fixture(scope="module")
def devnet() -> Network:
    return load_network("devnet")


@pytest.fixture(scope="module")
def testnet() -> Network:
    return load_network("testnet")


def settings(**given: object) -> NodeSettings:
    return NodeSettings(**given)  # type: ignore[arg-type]


def test_a_miner_on_a_devnet_votes_unless_it_declines(devnet: Network, testnet: Network) -> None:
    assert is_voting(settings(mine="auto"), devnet)
    assert read_limits(settings(mine="auto"), devnet) == BondLimits(Nano(10 * 10**9), Nano(1000 * 10**9))
    assert read_limits(settings(mine="auto", vote_bond="3"), devnet) == BondLimits(Nano(3 * 10**9), Nano(3 * 10**9))
    assert read_limits(settings(mine="auto", vote_bond="0"), devnet) == NO_BONDS
    assert not is_voting(settings(mine="auto", vote=False), devnet)
    assert read_limits(settings(mine="auto", vote=False), devnet) == NO_BONDS
    assert not is_voting(settings(), devnet)
    assert not is_voting(settings(mine="auto"), testnet)
    assert read_limits(settings(mine="auto", vote=True), testnet) == NO_BONDS


def test_the_bond_of_a_devnet_of_ones_own_is_at_least_the_least(devnet: Network) -> None:
    dear = replace(devnet, params=replace(devnet.params, min_voter_bond=Nano(50 * 10**9)))
    assert read_limits(settings(mine="auto"), dear).first == 50 * 10**9


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"vote_bond": "5", "mine": "auto"}, "does not vote"),
        ({"vote_max_bond": "5"}, "does not vote"),
        ({"vote_bond": "5", "vote": True}, "needs an account"),
        ({"vote_max_bond": "5", "vote": True, "mine": "auto"}, "without --vote-bond"),
        ({"vote_bond": "500", "vote_max_bond": "400", "vote": True, "mine": "auto"}, "below --vote-bond"),
        ({"vote_bond": "10", "vote": True, "mine": "auto"}, "the least bond is 100"),
        ({"vote_bond": "five", "vote": True, "mine": "auto"}, "--vote-bond: "),
    ],
)
def test_settings_that_contradict_are_refused(testnet: Network, given: dict[str, object], says: str) -> None:
    with pytest.raises(NodeError, match=says) as refused:
        read_limits(settings(**given), testnet)
    assert refused.value.code == "bad-setting"
