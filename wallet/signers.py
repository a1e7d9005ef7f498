"""What a transaction is signed by: a key in this process, a process that holds one, or people elsewhere."""

from typing import Protocol

from inos.primitives.signatures import sign
from inos.primitives.transactions import Transaction, compute_signing_hash
from inos.primitives.units import Address
from inos.wallet.drafts import Draft, Owner, SignaturesMissing, Terms, find_address
from inos.wallet.keys import Key


class Signer(Protocol):
    """Signs for one account."""

    @property
    def owner(self) -> Owner:
        """Return what a transaction names as its sender."""

    @property
    def address(self) -> Address: ...

    def sign(self, unsigned: Transaction) -> bytes:
        """Return the signature of a transaction, in which zeros stand for it.

        Raises:
            SignaturesMissing: it is signed elsewhere.
            InosError: the one who signs refuses, or does not answer.
        """


class KeySigner:
    """Signs with a key in this process."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self.owner: Owner = key.public
        self.address = key.address

    def sign(self, unsigned: Transaction) -> bytes:
        """Return the key's signature."""
        return sign(self._key.secret, compute_signing_hash(unsigned))


class ElsewhereSigner:
    """Stands for people who sign elsewhere: each transaction becomes a draft.

    Args:
        owner: the key, the keys, or just the address of the account.
        network: the network's name.
    """

    def __init__(self, owner: Owner, network: str) -> None:
        self.owner = owner
        self.address = find_address(owner)
        self._network = network

    def sign(self, unsigned: Transaction) -> bytes:
        """Raise SignaturesMissing, which holds the draft."""
        terms = Terms(unsigned.chain_id, self.owner, unsigned.nonce, unsigned.fee, unsigned.payload)
        raise SignaturesMissing(Draft(self._network, terms))


def make_signer(given: "Key | Signer") -> Signer:
    """Return a signer of a key, or the signer that is given."""
    return KeySigner(given) if isinstance(given, Key) else given
