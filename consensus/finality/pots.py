"""Pay for voting: a part of each subsidy goes into its epoch's pot, which pays those who justify the checkpoint.

Until it is paid, or burned with its ballot, a pot's nano are neither in a balance nor burned.
"""

from collections.abc import Iterable
from typing import Final

from inos.consensus import amounts
from inos.consensus.effects import Effects
from inos.consensus.finality.epochs import compute_epoch
from inos.consensus.finality.quorum import compute_weight
from inos.consensus.movements import Reason
from inos.consensus.records import Committee, Member, Pot
from inos.primitives.units import Address, Nano

POT_PART: Final = 64
"""One part in this many of each subsidy, rounded down, goes into the pot."""
CARRIER_PART: Final = 8
"""One part in this many of a member's share goes to the beneficiary of the block that carries the votes."""


def compute_pot_part(subsidy: Nano) -> Nano:
    """Return what a block puts into its epoch's pot."""
    return Nano(subsidy // POT_PART)


def add_to_pot(effects: Effects, amount: Nano) -> None:
    """Put new nano of the block at `effects.height` into its epoch's pot."""
    epoch = compute_epoch(effects.params, effects.height)
    pot = effects.state.get_pot(epoch)
    effects.state.set_pot(epoch, Pot(amounts.add(pot.amount, amount, f"the pot of epoch {epoch}")))


def pay_pot(effects: Effects, epoch: int, committee: Committee, members: Iterable[int], carrier: Address) -> None:
    """Pay the members who signed by weight, with an eighth of each share for the carrier; burn the rest of the pot.

    For a member that was slashed since the committee was chosen, neither it nor the carrier gets anything.
    """
    pot, total = effects.state.get_pot(epoch).amount, compute_weight(committee)
    paid = carried = 0
    for member in (committee.members[place] for place in members):
        if _is_slashed(effects, member):
            continue
        share = pot * member.weight // total
        effects.move(Address(member.address), Reason.VOTES_PAID, share - share // CARRIER_PART)
        carried += share // CARRIER_PART
        paid += share
    effects.move(carrier, Reason.VOTES_INCLUDED, carried)
    effects.state.set_pot(epoch, Pot())
    effects.burn(pot - paid)


def burn_pot(effects: Effects, epoch: int) -> None:
    """Burn a pot that can no longer be paid; a pot that was paid is empty."""
    pot = effects.state.get_pot(epoch)
    effects.state.set_pot(epoch, Pot())
    effects.burn(pot.amount)


def _is_slashed(effects: Effects, member: Member) -> bool:
    owner = effects.state.get_key_owner(member.key)
    return owner is None or owner.is_slashed
