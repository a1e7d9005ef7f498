"""Finality on the whole simulated network: real nodes, real gossip, real signatures, on a virtual clock."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from inos.agents.reporter import Reporter
from inos.agents.voter.bonds import BondLimits
from inos.agents.voter.journal import Journal
from inos.agents.voter.voter import Voter
from inos.consensus.params import Params
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.units import Address, Nano
from simulation.common import QUIET, make_params
from support.sim_node import SimNode
from support.sim_world import World

BOND: Final = Nano(10**9)
SPACING_S: Final = 2.0
EPOCH_S: Final = 4 * SPACING_S
_FOLDERS: Final = count()


def make_voting_params() -> Params:
    """Return parameters with epochs of 4 blocks of 2 s."""
    return msgspec.structs.replace(
        make_params(SPACING_S),
        epoch_blocks=4,
        finality_start=8,
        bond_leverage=10**6,
        min_voter_bond=Nano(BOND),
        unbonding_epochs=50,
    )


def make_account(number: int) -> bytes:
    return sha256(b"account %d" % number).digest()


def get_address(number: int) -> Address:
    return compute_address(compute_public_key(make_account(number)))


ACCOUNTS: Final = tuple(get_address(number) for number in range(10))


class VotingNode:
    """A simulated node that mines to an account of its own, votes with its key, and reports.

    Args:
        number: of account and key; a second node of the same number is a twin, whose journal is its own.
    """

    def __init__(self, world: World, number: int, *, is_voting: bool = True) -> None:
        self.number = number
        self.node = world.add_node(QUIET)
        self.node.payee = get_address(number)
        self._world = world
        self._is_voting = is_voting
        folder = Path(self.node.setting.folder) / f"voter-{next(_FOLDERS)}"
        folder.mkdir()
        self.secret = compute_secret(sha256(b"bls %d" % number).digest())
        self.key = get_bls().compute_public_key(self.secret)
        self._journal = Journal(folder / "voter.journal", self.key, world.chain.genesis_id, lock_dir=folder)
        self._journal.__enter__()
        world.at_end(self._close)

    async def _close(self) -> None:
        self._journal.__exit__(None, None, None)

    def begin(self) -> None:
        """Vote and report, from now until the world ends."""
        core = self.node.core
        if self._is_voting:
            account = make_account(self.number)
            self._world.spawn(Voter(core, get_bls(), self.secret, self._journal, account, BondLimits(BOND, BOND)).run())
        self._world.spawn(Reporter(core, make_account(self.number), self.node.rng).run())

    @property
    def final(self) -> int:
        return self.node.ledger.final.header.height


def link_all(world: World, nodes: Sequence[SimNode]) -> None:
    for i, node in enumerate(nodes):
        world.link(node, *nodes[:i])


async def begin(world: World, voters: Sequence[VotingNode]) -> None:
    """Return nodes that are all linked, mine evenly, and vote."""
    nodes = [each.node for each in voters]
    link_all(world, nodes)
    await world.start()
    for each in voters:
        each.begin()
    world.mine({node: 1 / len(nodes) for node in nodes})


def are_finals_one_chain(world: World, voters: Sequence[VotingNode]) -> bool:
    """Return True if each node's final block is on the chain of the node whose final block is highest."""
    best = max(voters, key=lambda each: each.final).node.ledger
    return all(best.get_block_id(each.node.ledger.final.header.height) == each.node.ledger.final.id for each in voters)


async def wait_final(world: World, voters: Sequence[VotingNode], above: int, epochs: float) -> None:
    """Wait until every node has a final block above a height."""
    await world.until(lambda: min(each.final for each in voters) > above, epochs * EPOCH_S)
