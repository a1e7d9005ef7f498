"""Block 0, which is made from the parameters and the first accounts. It is valid because all nodes compute the same
one.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from inos.consensus.codes import Code
from inos.consensus.movements import PLACE_START, AccountEntry, Movement, Reason
from inos.consensus.params import Params
from inos.consensus.records import MARKET_KEY, MAX_RECORD_BYTES, Account, Kind, Market, StateKey, account_key
from inos.consensus.statetree import compute_state_root
from inos.primitives.blocks import HEADER_VERSION, Header, encode_target
from inos.primitives.codec import decode, encode
from inos.primitives.errors import RuleViolation
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import ADDRESS_BYTES, U64_MAX, ZERO_HASH, Address, Hash, Nano, TimeMs

TARGET_FIELDS: Final = frozenset({"genesis_target", "max_target"})


class GenesisState(Struct, frozen=True):
    """The genesis header and every record of the state after it."""

    header: Header
    records: dict[StateKey, bytes]

    def list_entries(self) -> list[AccountEntry]:
        """Return the allocations as the first entries of accounts' histories."""
        entries = []
        for key, value in self.records.items():
            if key[0] == Kind.ACCOUNT:
                amount = decode(Account, value, limit=MAX_RECORD_BYTES).balance
                entries.append(AccountEntry(PLACE_START, key[1:], (Movement(Reason.ALLOCATED, amount),)))
        return entries


def compute_genesis_commitment(params: Params, time_ms: TimeMs, allocations: Mapping[Address, Nano]) -> Hash:
    """Return H("genesis", all founding data of the network), which the genesis header carries as its parent.

    The hash covers the parameters as [name, value] pairs in their order, with targets as 32 bytes; the time; and the
    allocations above zero as [address, nano] pairs sorted by address. So networks that differ in one parameter differ
    in their genesis id.
    """
    fields = [
        (name, encode_target(getattr(params, name)) if name in TARGET_FIELDS else getattr(params, name))
        for name in Params.__struct_fields__
    ]
    accounts = [(address, amount) for address, amount in sorted(allocations.items()) if amount]
    return compute_hash(Context.GENESIS, encode((fields, time_ms, accounts)))


def make_genesis(
    params: Params, time_ms: TimeMs, allocations: Mapping[Address, Nano], parent: Hash | None = None
) -> GenesisState:
    """Return the genesis header and state: the allocations as balances, and the first record of supply.

    Args:
        parent: the parent that the header names; by default the commitment to the three other arguments.

    Raises:
        RuleViolation: "bad-address" or "overflow" in the allocations.
    """
    records = _make_records(allocations)
    header = Header(
        version=HEADER_VERSION,
        chain_id=params.chain_id,
        height=0,
        parent=compute_genesis_commitment(params, time_ms, allocations) if parent is None else parent,
        time_ms=time_ms,
        tx_root=ZERO_HASH,
        state_root=compute_state_root(records),
        target=encode_target(params.genesis_target),
        beneficiary=bytes(ADDRESS_BYTES),
        nonce=0,
        seal=None,
    )
    return GenesisState(header, records)


def _make_records(allocations: Mapping[Address, Nano]) -> dict[StateKey, bytes]:
    for address, amount in allocations.items():
        if len(address) != ADDRESS_BYTES:
            raise RuleViolation(Code.BAD_ADDRESS, "an allocation's address", expected="20 bytes", got=len(address))
        if amount < 0:
            raise RuleViolation(Code.OVERFLOW, "an allocation is negative", expected="at least 0", got=amount)
    minted = sum(allocations.values())
    if minted > U64_MAX:
        raise RuleViolation(
            Code.OVERFLOW, "the allocations do not fit 64 bits", expected=f"at most {U64_MAX}", got=minted
        )
    records = {account_key(a): encode(Account(balance=n)) for a, n in sorted(allocations.items()) if n}
    records[MARKET_KEY] = encode(Market(minted=minted, burned=0, escrowed=0))
    return records
