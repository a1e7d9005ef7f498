"""How an account becomes a voter, ceases to be one, and what happens to its bond."""

import msgspec

from inos.consensus import amounts
from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.finality.mined import compute_mined
from inos.consensus.movements import Reason
from inos.consensus.params import Params
from inos.consensus.records import Voter, VoterCount, VoterKey
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import RegisterVoter
from inos.primitives.units import U64_MAX, Address, Nano
from inos.primitives.votes import make_possession_message


def check_register_sanity(params: Params, sender: Address, payload: RegisterVoter, fee: int, bls: Bls) -> None:
    """Check the bond's size, and that the sender may use the key's secret (stage 1).

    Raises:
        RuleViolation: "overflow", "bond-too-small", "bad-proof-of-possession".
    """
    if payload.bond + fee > U64_MAX:
        raise RuleViolation(Code.OVERFLOW, "bond and fee do not fit 64 bits", expected=f"0 .. {U64_MAX}")
    if payload.bond < params.min_voter_bond:
        raise RuleViolation(
            Code.BOND_TOO_SMALL, "the voter's bond", expected=f">= {params.min_voter_bond}", got=payload.bond
        )
    message = make_possession_message(payload.key, sender, params.chain_id)
    if not bls.is_possession_proven(payload.key, message, payload.proof):
        raise RuleViolation(
            Code.BAD_PROOF_OF_POSSESSION,
            f"the proof does not bind the BLS key {payload.key.hex()} to {sender.hex()} on this chain",
        )


def process_register(effects: Effects, sender: Address, payload: RegisterVoter) -> None:
    """Lock the bond, or add to the one under the same key; committees chosen from now on take it into account.

    Raises:
        RuleViolation: "nothing-mined", "already-a-voter", "already-leaving", "key-already-used", "too-many-voters",
            "overflow", "insufficient-balance".
    """
    state = effects.state
    if not compute_mined(effects.params, state.get_account(sender), effects.height):
        raise RuleViolation(Code.NOTHING_MINED, f"{sender.hex()} has found no block lately, so it would weigh nothing")
    _check_key(effects, sender, payload.key)
    voter, bond = state.get_voter(sender), payload.bond
    if voter is None:
        _count_voter(effects)
        state.set_key_owner(payload.key, VoterKey(sender))
    else:
        _check_raise(voter, sender, payload.key)
        bond = amounts.add(voter.bond, payload.bond, "the voter's bond")
    effects.move(sender, Reason.VOTER_BOND_LOCKED, payload.bond)
    state.set_voter(sender, Voter(payload.key, bond, effects.height))


def process_unbond(effects: Effects, sender: Address) -> None:
    """Begin to leave. The bond stays locked until the unbonding time after the first committee without the voter has
    passed.

    Raises:
        RuleViolation: "not-a-voter", "already-leaving".
    """
    voter = _get_voter(effects, sender)
    if voter.is_leaving:
        raise _make_leaving(voter, sender)
    leaving = msgspec.structs.replace(voter, changed_at=effects.height, is_leaving=True)
    effects.state.set_voter(sender, leaving)


def process_withdraw(effects: Effects, sender: Address) -> None:
    """Return the bond to the account's balance.

    Raises:
        RuleViolation: "not-a-voter", "still-bonded".
    """
    voter = _get_voter(effects, sender)
    if not voter.leaves_at or effects.height < voter.leaves_at:
        expected = f"height {voter.leaves_at}" if voter.leaves_at else "a committee without the voter first"
        expected = expected if voter.is_leaving else "unbonding first"
        raise RuleViolation(Code.STILL_BONDED, f"the bond of {sender.hex()}", expected=expected, got=effects.height)
    effects.move(sender, Reason.VOTER_BOND_WITHDRAWN, voter.bond)
    remove_voter(effects, sender)


def remove_voter(effects: Effects, address: Address) -> None:
    """Remove a voter's record, whose bond was released, from the state."""
    effects.state.set_voter(address, None)
    count = effects.state.get_voter_count().count
    effects.state.set_voter_count(VoterCount(amounts.subtract(count, 1, "voters")))


def cut_bond(effects: Effects, address: Address, amount: Nano) -> Nano:
    """Take at most `amount` out of the bond of a juror that did not open its verdict; the caller decides where it goes.

    Returns:
        What was released: less than `amount` if the bond is smaller, 0 for an account that is no voter.
    """
    voter = effects.state.get_voter(address)
    if voter is None:
        return Nano(0)
    cut = Nano(min(amount, voter.bond))
    effects.move(address, Reason.JUROR_SILENT, cut)
    effects.state.set_voter(address, msgspec.structs.replace(voter, bond=voter.bond - cut))
    return cut


def _check_key(effects: Effects, sender: Address, key: bytes) -> None:
    owner = effects.state.get_key_owner(key)
    if owner is None:
        return
    if owner.is_slashed:
        raise RuleViolation(Code.KEY_ALREADY_USED, f"the BLS key {key.hex()} was slashed")
    if owner.owner != sender:
        raise RuleViolation(Code.KEY_ALREADY_USED, f"the BLS key {key.hex()} was registered by another account")


def _check_raise(voter: Voter, sender: Address, key: bytes) -> None:
    if voter.key != key:
        raise RuleViolation(Code.ALREADY_A_VOTER, f"{sender.hex()} has a bond under another BLS key")
    if voter.is_leaving:
        raise _make_leaving(voter, sender)


def _count_voter(effects: Effects) -> None:
    count, limit = effects.state.get_voter_count().count, effects.params.max_voters
    if count >= limit:
        raise RuleViolation(Code.TOO_MANY_VOTERS, "voters", expected=f"fewer than {limit}", got=count)
    effects.state.set_voter_count(VoterCount(count + 1))


def _make_leaving(voter: Voter, sender: Address) -> RuleViolation:
    when = f"it can withdraw at {voter.leaves_at}" if voter.leaves_at else "a committee still has it"
    return RuleViolation(Code.ALREADY_LEAVING, f"{sender.hex()} unbonded before; {when}")


def _get_voter(effects: Effects, address: Address) -> Voter:
    voter = effects.state.get_voter(address)
    if voter is None:
        raise RuleViolation(Code.NOT_A_VOTER, f"{address.hex()} is no voter")
    return voter
