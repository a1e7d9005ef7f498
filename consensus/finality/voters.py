"""Becoming a voter, ceasing to be one, and the bond."""

from typing import Final

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.movements import Reason
from inos.consensus.params import Params
from inos.consensus.records import Voter, VoterKey, Voters
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import RegisterVoter
from inos.primitives.units import U64_MAX, Address

MAX_VOTERS: Final = 4096
"""Voters to choose from: all are looked at once an epoch."""


def check_register_sanity(params: Params, payload: RegisterVoter, fee: int, bls: Bls) -> None:
    """Stage 1: the bond's size, and that the key's secret is the sender's to use.

    Raises:
        RuleViolation: "overflow", "bond-too-small", "bad-proof-of-possession".
    """
    if payload.bond + fee > U64_MAX:
        raise RuleViolation(Code.OVERFLOW, "bond and fee do not fit 64 bits", expected=f"0 .. {U64_MAX}")
    if payload.bond < params.min_voter_bond:
        raise RuleViolation(
            Code.BOND_TOO_SMALL, "the voter's bond", expected=f">= {params.min_voter_bond}", got=payload.bond
        )
    if not bls.is_possession_proven(payload.key, payload.proof):
        raise RuleViolation(Code.BAD_PROOF_OF_POSSESSION, f"the proof is not that of the BLS key {payload.key.hex()}")


def process_register(effects: Effects, sender: Address, payload: RegisterVoter) -> None:
    """Lock the bond; from the next committee on the sender may be in it.

    Raises:
        RuleViolation: "already-a-voter", "key-already-used", "too-many-voters", "insufficient-balance".
    """
    state = effects.state
    if state.get_voter(sender) is not None:
        raise RuleViolation(Code.ALREADY_A_VOTER, f"{sender.hex()} is a voter, or its bond is not withdrawn yet")
    if state.get_key_owner(payload.key) is not None:
        raise RuleViolation(Code.KEY_ALREADY_USED, f"the BLS key {payload.key.hex()} was registered before")
    addresses = state.get_voters().addresses
    if len(addresses) >= MAX_VOTERS:
        raise RuleViolation(Code.TOO_MANY_VOTERS, "voters", expected=f"fewer than {MAX_VOTERS}", got=len(addresses))
    effects.move(sender, Reason.VOTER_BOND_LOCKED, payload.bond)
    state.set_voter(sender, Voter(payload.key, payload.bond))
    state.set_key_owner(payload.key, VoterKey(sender))
    state.set_voters(Voters((*addresses, sender)))


def process_unbond(effects: Effects, sender: Address) -> None:
    """Leave the voters; the bond stays for the unbonding time.

    Raises:
        RuleViolation: "not-a-voter", "already-leaving".
    """
    voter = _get_voter(effects, sender)
    if voter.leaves_at:
        raise RuleViolation(
            Code.ALREADY_LEAVING, f"{sender.hex()} unbonded before; it can withdraw at {voter.leaves_at}"
        )
    leaves_at = effects.height + effects.params.unbonding_epochs * effects.params.epoch_blocks
    effects.state.set_voter(sender, msgspec.structs.replace(voter, leaves_at=leaves_at))
    remove_from_voters(effects, sender)


def process_withdraw(effects: Effects, sender: Address) -> None:
    """Give the bond back.

    Raises:
        RuleViolation: "not-a-voter", "still-bonded".
    """
    voter = _get_voter(effects, sender)
    if not voter.leaves_at or effects.height < voter.leaves_at:
        expected = f"height {voter.leaves_at}" if voter.leaves_at else "unbonding first"
        raise RuleViolation(Code.STILL_BONDED, f"the bond of {sender.hex()}", expected=expected, got=effects.height)
    effects.move(sender, Reason.VOTER_BOND_WITHDRAWN, voter.bond)
    effects.state.set_voter(sender, None)


def remove_from_voters(effects: Effects, address: Address) -> None:
    """No committee chosen from now on has it."""
    addresses = effects.state.get_voters().addresses
    effects.state.set_voters(Voters(tuple(each for each in addresses if each != address)))


def _get_voter(effects: Effects, address: Address) -> Voter:
    voter = effects.state.get_voter(address)
    if voter is None:
        raise RuleViolation(Code.NOT_A_VOTER, f"{address.hex()} is no voter")
    return voter
