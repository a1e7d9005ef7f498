"""Opens what a voting node needs from its data directory: the BLS key, made once, and the journal that belongs to
it."""

from contextlib import AbstractContextManager
from typing import Final

from inos.agents.voter.journal import Journal
from inos.core.errors import NodeError
from inos.node.datadir import DataDir, load_or_make_secret
from inos.node.settings import NodeSettings
from inos.primitives.bls import BlsBackend, compute_secret
from inos.primitives.units import BlockId, Nano, parse_credits

NO_BOND: Final = Nano(0)


def read_bond(settings: NodeSettings) -> Nano:
    """Return the bond a node registers with by itself, 0 for none.

    Raises:
        NodeError: "bad-setting".
    """
    if settings.vote_bond is None:
        return NO_BOND
    if not settings.vote:
        raise NodeError("bad-setting", "--vote-bond was given without --vote", hint="add --vote")
    if settings.mine is None and settings.mine_key_file is None and settings.mine_wallet is None:
        hint = "add --mine auto; or register another account with: inos wallet vote"
        raise NodeError("bad-setting", "--vote-bond needs an account that pays it, and the node has none", hint=hint)
    try:
        return parse_credits(settings.vote_bond)
    except ValueError as error:
        raise NodeError("bad-setting", f"--vote-bond: {error}") from error


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
