"""BIP-32 keys and their BIP-340 public halves.

The path is m/86'/1'/account'/0/index: BIP-86's purpose, whose keys are x-only as ours, and
the coin type that SLIP-44 reserves for test networks, as INOS has no number of its own yet.
A BIP-340 key stands for the point with even y; signing flips the secret if needed, so
the secret that BIP-32 derives is used as it is.
"""

from typing import Final

from msgspec import Struct

from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.units import Address, PublicKey
from inos.wallet.bip32 import derive_secret
from inos.wallet.errors import WalletError
from inos.wallet.phrase import compute_seed

COIN_TYPE: Final = 1
MAX_INDEX: Final = 2**31 - 1


class Key(Struct, frozen=True):
    """One account's key pair. `repr` leaves the secret out."""

    secret: bytes
    public: PublicKey
    address: Address

    def __repr__(self) -> str:
        return f"Key(address={self.address.hex()})"


def format_path(account: int = 0, index: int = 0) -> str:
    """Return m/86'/1'/account'/0/index; WalletError "bad-path" if a number is outside 0 .. 2^31 - 1."""
    if not (0 <= account <= MAX_INDEX and 0 <= index <= MAX_INDEX):
        raise WalletError("bad-path", f"account {account} and index {index} must lie in 0 .. {MAX_INDEX}")
    return f"m/86'/{COIN_TYPE}'/{account}'/0/{index}"


def make_key(secret: bytes) -> Key:
    """Return the key pair of a 32-byte secret; ValueError if it is 0 or not below the curve's order."""
    public = compute_public_key(secret)
    return Key(secret, public, compute_address(public))


def derive_key_from_seed(seed: bytes, path: str) -> Key:
    """Return the key at a BIP-32 path below a seed (16 to 64 bytes)."""
    return make_key(derive_secret(seed, path))


def derive_key(phrase: str, *, passphrase: str = "", account: int = 0, index: int = 0) -> Key:
    """Return the key of a recovery phrase at `format_path(account, index)`; "bad-phrase" as `check_phrase`."""
    return derive_key_from_seed(compute_seed(phrase, passphrase), format_path(account, index))
