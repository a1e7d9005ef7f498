"""Opens what a voting node needs from its data directory: the BLS key, made once, and the journal that belongs to
it."""

from contextlib import AbstractContextManager
from typing import Final

from inos.agents.voter.bonds import NO_BONDS, BondLimits
from inos.agents.voter.journal import Journal
from inos.core.errors import NodeError
from inos.genesis import Network
from inos.node.datadir import DataDir, load_or_make_secret
from inos.node.network_settings import DEVNET
from inos.node.settings import NodeSettings
from inos.primitives.bls import BlsBackend, compute_secret
from inos.primitives.units import BlockId, Nano, format_credits, parse_credits

DEVNET_BOND: Final = "10"
"""Credits a miner on a devnet registers with, if it is not told otherwise."""
DEVNET_MAX_BOND: Final = "1000"
"""Twice what one that finds every block needs in the end."""


def is_voting(settings: NodeSettings, network: Network) -> bool:
    """Return True if the node votes: if it is told to, or it mines on a devnet and is not told not to."""
    if settings.vote is not None:
        return settings.vote
    return network.name == DEVNET and _is_mining(settings)


def read_limits(settings: NodeSettings, network: Network) -> BondLimits:
    """Return what the node bonds by itself.

    Raises:
        NodeError: "bad-setting".
    """
    bond, most = settings.vote_bond, settings.vote_max_bond
    least = network.params.min_voter_bond
    flags = (("--vote-bond", bond), ("--vote-max-bond", most))
    given = next((name for name, value in flags if value is not None), None)
    if given is not None and not is_voting(settings, network):
        raise NodeError("bad-setting", f"{given} was given, and the node does not vote", hint="add --vote")
    if given is not None and not _is_mining(settings):
        hint = "add --mine auto; or register another account with: inos wallet vote"
        raise NodeError("bad-setting", f"{given} needs an account that pays it, and the node has none", hint=hint)
    if bond is None and is_voting(settings, network) and _is_mining(settings) and network.name == DEVNET:
        bond, most = _choose_devnet_bond(least), most or DEVNET_MAX_BOND
    limits = _make_limits(bond, most)
    if 0 < limits.first < least:
        text = f"--vote-bond {bond} can never vote on {network.name}, where the least bond is {format_credits(least)}"
        raise NodeError("bad-setting", text, hint=f"give --vote-bond {format_credits(least)}, or more")
    return limits


def _choose_devnet_bond(least: Nano) -> str:
    return DEVNET_BOND if parse_credits(DEVNET_BOND) >= least else format_credits(least)


def _make_limits(bond: str | None, most: str | None) -> BondLimits:
    if bond is None:
        if most is not None:
            raise NodeError("bad-setting", "--vote-max-bond was given without --vote-bond", hint="add --vote-bond")
        return NO_BONDS
    first = _parse_credits("--vote-bond", bond)
    highest = first if most is None else _parse_credits("--vote-max-bond", most)
    if highest < first:
        raise NodeError("bad-setting", f"--vote-max-bond, {most}, is below --vote-bond, {bond}")
    return BondLimits(first, highest)


def _parse_credits(name: str, text: str) -> Nano:
    try:
        return parse_credits(text)
    except ValueError as error:
        raise NodeError("bad-setting", f"{name}: {error}") from error


def _is_mining(settings: NodeSettings) -> bool:
    return settings.mine is not None or settings.mine_key_file is not None or settings.mine_wallet is not None


def load_voter_secret(data: DataDir, *, may_make: bool = True) -> bytes:
    """Return the BLS secret (32 bytes), made by KeyGen from what the file holds.

    Raises:
        NodeError: "bad-key-file", "key-file-open"; "no-voter-key" if there is none and `may_make` is False.
    """
    if not may_make and not data.voter_key.exists():
        raise NodeError("no-voter-key", f"there is no voter's key in {data.path}", hint="inos node --vote makes one")
    return compute_secret(load_or_make_secret(data.voter_key))


def open_journal(data: DataDir, secret: bytes, genesis: BlockId, bls: BlsBackend) -> AbstractContextManager[Journal]:
    """Open the key's journal, locked while it is open."""
    return Journal(data.voter_journal, bls.compute_public_key(secret), genesis)
