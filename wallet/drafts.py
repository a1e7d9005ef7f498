"""Transactions that wait for signatures, as files that travel between those who sign.

A draft holds all of a transaction but its signatures, and those that are there so far. Each is checked when a draft is
read, so a file that was changed on its way is refused.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Self

from msgspec import Meta, Struct
from msgspec.structs import replace

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import U32
from inos.primitives.multisig import Multisig, compute_multisig_address, is_sound, join_signatures
from inos.primitives.signatures import compute_address, is_signature_valid
from inos.primitives.transactions import (
    MAX_TX_BYTES,
    U64,
    Payload,
    Transaction,
    compute_signing_hash,
    is_transaction_signed,
)
from inos.primitives.units import ADDRESS_BYTES, Address, PublicKey
from inos.wallet.errors import WalletError

KIND: Final = "inos-draft"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 16 + 4 * MAX_TX_BYTES

Owner = bytes | Multisig
"""Who owns an account: a key (32 bytes), several keys, or an address (20 bytes) whose key is not known yet."""


class Terms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All of a transaction but its signature."""

    chain_id: U32
    owner: Annotated[bytes, Meta(min_length=ADDRESS_BYTES, max_length=32)] | Multisig
    nonce: U64
    fee: U64
    payload: Payload


class Draft(Struct, frozen=True):
    """A transaction on its way to its signatures.

    Args:
        signatures: the valid ones so far, by key; each is over the transaction's signing hash.
    """

    network: str
    terms: Terms
    signatures: dict[PublicKey, bytes] = {}

    @property
    def address(self) -> Address:
        """Return the account that pays."""
        return find_address(self.terms.owner)

    @property
    def needed(self) -> int:
        """Return how many more signatures it takes."""
        threshold = self.terms.owner.threshold if isinstance(self.terms.owner, Multisig) else 1
        return max(0, threshold - len(self.signatures))

    def sign(self, key: PublicKey, make: Callable[[Transaction], bytes]) -> Self:
        """Return the draft with the signature of a key.

        Args:
            make: returns the key's signature of a transaction, in which zeros stand for signatures.

        Raises:
            WalletError: "not-a-signer" if the account is not that of this key; "signing-failed".
        """
        owner = self.terms.owner
        if not (key in owner.keys if isinstance(owner, Multisig) else owner in (key, compute_address(key))):
            raise WalletError(
                "not-a-signer",
                f"the account that pays is not one that key {key.hex()} signs for",
                hint="give the wallet of a signer with --wallet, and its number with --index",
            )
        terms = self.terms if isinstance(owner, Multisig) else replace(self.terms, owner=bytes(key))
        unsigned = _make_unsigned(terms)
        signature = make(unsigned)
        if not is_signature_valid(key, compute_signing_hash(unsigned), signature):
            raise WalletError("signing-failed", "the new signature does not verify: do not trust what made it")
        return replace(self, terms=terms, signatures=self.signatures | {key: signature})

    def finish(self) -> Transaction:
        """Return the signed transaction.

        Raises:
            WalletError: "signatures-missing".
        """
        if self.needed:
            raise SignaturesMissing(self)
        unsigned, owner = _make_unsigned(self.terms), self.terms.owner
        if isinstance(owner, Multisig):
            return replace(unsigned, signature=join_signatures(owner, self.signatures))
        return replace(unsigned, signature=self.signatures[PublicKey(owner)])


class SignaturesMissing(WalletError):
    """A transaction is whole but for signatures; `draft` can be written to a file for those who sign."""

    def __init__(self, draft: Draft) -> None:
        what = "1 signature is" if draft.needed == 1 else f"{draft.needed} signatures are"
        super().__init__(
            "signatures-missing",
            f"{what} missing, and this wallet has no key for them",
            hint="write the transaction to a file with --unsigned FILE, and sign it there with: inos wallet sign FILE",
        )
        self.draft = draft


def find_address(owner: Owner) -> Address:
    """Return the address of an account by its owner."""
    if isinstance(owner, Multisig):
        return compute_multisig_address(owner)
    return Address(owner) if len(owner) == ADDRESS_BYTES else compute_address(PublicKey(owner))


def merge_drafts(drafts: Sequence[Draft]) -> Draft:
    """Return one draft with the signatures of all, which people made side by side.

    Raises:
        WalletError: "different-drafts" if they are not of one transaction.
    """
    first = drafts[0]
    owner = next((each.terms.owner for each in drafts if each.signatures), first.terms.owner)
    terms, signatures = replace(first.terms, owner=owner), dict[PublicKey, bytes]()
    for each in drafts:
        is_same = each.network == first.network and replace(each.terms, owner=owner) == terms
        if not is_same or each.address != first.address:
            raise WalletError(
                "different-drafts",
                "the files hold different transactions, so their signatures do not go together",
                hint="compare account, nonce, fee and amounts: inos wallet sign FILE --show",
            )
        signatures |= each.signatures
    return Draft(first.network, terms, signatures)


def encode_draft(draft: Draft, shown: dict[str, Any]) -> str:
    """Return a draft as the text of a file.

    Args:
        shown: what people may read in it; `decode_draft` reads nothing of that.
    """
    fixed: dict[str, Any] = {"kind": KIND, "version": VERSION, "network": draft.network}
    signed = {key.hex(): signature.hex() for key, signature in sorted(draft.signatures.items())}
    # What is shown comes between, and replaces nothing: a task's fields have a kind of their own.
    document = fixed | shown | fixed | {"unsigned": encode(draft.terms).hex(), "signatures": signed}
    return json.dumps(document, indent=2) + "\n"


def is_draft(text: str) -> bool:
    """Return True for the text of a draft, sound or not."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("kind") == KIND


def decode_draft(text: str) -> Draft:
    """Return the draft that a file holds, each of its signatures checked.

    Raises:
        WalletError: "bad-draft".
    """
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise _explain(f"it has version {document['version']!r:.20}, and this program reads version {VERSION}")
        network, found = document["network"], document["signatures"]
        terms = decode(Terms, bytes.fromhex(document["unsigned"]), limit=MAX_TX_BYTES)
        signatures = {PublicKey(bytes.fromhex(key)): bytes.fromhex(each) for key, each in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _explain(f"it lacks a field, or has another one than it should ({error!r:.100})") from error
    except CodecError as error:
        raise _explain(f"its transaction cannot be read: {error.message}") from error
    if not isinstance(network, str):
        raise _explain("its network is no text")
    _check_owner(terms.owner, signatures)
    draft = Draft(network, terms, signatures)
    digest = compute_signing_hash(_make_unsigned(terms))
    for key, signature in signatures.items():
        if not is_signature_valid(key, digest, signature):
            raise _explain(f"the signature of key {key.hex()} does not verify: it was changed after signing")
    if not draft.needed and not is_transaction_signed(draft.finish()):
        raise _explain("its signatures do not make a signed transaction")
    return draft


def _check_owner(owner: Owner, signatures: dict[PublicKey, bytes]) -> None:
    if isinstance(owner, Multisig):
        if not is_sound(owner):
            raise _explain("its account has keys that are not in order, twice the same, or fewer than must sign")
        if signatures.keys() - set(owner.keys):
            raise _explain("a key has signed that is none of the account's")
    elif len(owner) not in (ADDRESS_BYTES, 32) or signatures.keys() - {owner}:
        raise _explain("a key has signed that is not the account's, or its account is neither a key nor an address")


def _make_unsigned(terms: Terms) -> Transaction:
    return Transaction(terms.chain_id, terms.owner, terms.nonce, terms.fee, terms.payload, bytes(64))


def _explain(reason: str) -> WalletError:
    return WalletError("bad-draft", f"this is no draft of a transaction: {reason}", hint="ask for the file again")
