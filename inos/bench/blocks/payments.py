"""What blocks are filled with that pay: from one key or several, to one account or many."""

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Final

import msgspec
from msgspec import Struct

from inos.bench.blocks.workshop import FEE, Workshop
from inos.consensus import costs
from inos.primitives.multisig import MAX_KEYS, Multisig, compute_multisig_address, join_signatures
from inos.primitives.payments import MAX_PAYMENTS, Payment, pack_payments
from inos.primitives.transactions import Transaction, Transfer, TransferMany, compute_signing_hash
from inos.primitives.units import Address, PublicKey
from inos.primitives.votes import Aggregate

JOINT_FEE: Final = 4 * FEE
"""So that these orders, which are longer, come first."""


class Worst(Struct, frozen=True):
    """What the worst block is filled with."""

    orders: Iterable[Transaction]
    aggregate: Aggregate | None = None
    started: int = 0
    """How many jobs, juries or voters the start of the block deals with; 0 if its orders are what it costs."""


def transfers(shop: Workshop) -> Worst:
    """Transfers to accounts that exist."""
    shop.harden()
    return Worst(pay(shop))


def new_accounts(shop: Workshop) -> Worst:
    """Transfers that each make an account."""
    shop.harden()
    amount = shop.params.account_fee + 1
    return Worst(shop.order(Transfer(Address(n.to_bytes(20, "big")), amount) for n in range(1, 10**6)))


def many_payments(shop: Workshop) -> Worst:
    """Transfers that each pay as many accounts as they may, all of which exist and are paid once."""
    groups = _count_many(shop)
    shop.mine(shop.order(_pay_many(shop, group) for group in range(groups)))
    shop.harden()
    return Worst(shop.order(_pay_many(shop, group) for group in range(groups + 1)))


def many_new_accounts(shop: Workshop) -> Worst:
    """Transfers that each make as many accounts as they may."""
    shop.harden()
    return Worst(shop.order(_pay_many(shop, group) for group in range(_count_many(shop) + 1)))


def _count_many(shop: Workshop) -> int:
    """Return how many of the longest transfers a block has room for."""
    return shop.params.max_block_cost_us // (costs.TRANSFER_US + MAX_PAYMENTS * costs.PAYMENT_US)


def _pay_many(shop: Workshop, group: int) -> TransferMany:
    """Return payments to accounts that no other group has."""
    amount = max(shop.params.job_fee, shop.params.account_fee + 1)
    numbers = range(1 + group * MAX_PAYMENTS, 1 + (group + 1) * MAX_PAYMENTS)
    return TransferMany(pack_payments(Payment(Address(n.to_bytes(20, "big")), amount) for n in numbers))


def joint_transfers(shop: Workshop) -> Worst:
    """Transfers from an account of as many keys as one may have, all of which sign."""
    people = {person.public: person for person in shop.people[:MAX_KEYS]}
    owners = Multisig(MAX_KEYS, tuple(sorted(people)))
    count = fit(shop, costs.TRANSFER_US + costs.compute_cosigning_cost(MAX_KEYS))
    shop.mine(shop.order([Transfer(compute_multisig_address(owners), 1_000_000 + count * 2 * JOINT_FEE)]))
    shop.harden()
    return Worst([_sign_jointly(shop, owners, nonce) for nonce in range(count)])


def _sign_jointly(shop: Workshop, owners: Multisig, nonce: int) -> Transaction:
    receiver = shop.people[-1].address
    unsigned = Transaction(shop.params.chain_id, owners, nonce, JOINT_FEE, Transfer(receiver, 1), bytes(64))
    digest = compute_signing_hash(unsigned)
    parts = {
        PublicKey(person.public): person.secret.sign_schnorr(digest, bytes(32)) for person in shop.people[:MAX_KEYS]
    }
    return msgspec.structs.replace(unsigned, signature=join_signatures(owners, parts))


def pay(shop: Workshop) -> Iterator[Transaction]:
    """Yield transfers between accounts that exist, without end."""
    return shop.order(Transfer(person.address, 1) for person in cycle(shop.people[::-1]))


def fit(shop: Workshop, cost_us: int) -> int:
    """Return how many orders of this cost a block may have, and one more."""
    return shop.params.max_block_cost_us // cost_us + 1
