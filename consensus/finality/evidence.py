"""Evidence against a voter, and its consequences."""

from typing import Final

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.finality.mined import take_mined
from inos.consensus.finality.voters import remove_voter
from inos.consensus.movements import Reason
from inos.consensus.params import Params
from inos.consensus.records import VoterKey
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import ReportVoter
from inos.primitives.units import Address
from inos.primitives.votes import compute_vote_hash, is_slashable

REPORTER_PART: Final = 10
"""The reporter gets one part in this many of the bond; the rest is burned."""


def check_evidence_sanity(params: Params, payload: ReportVoter, bls: Bls) -> None:
    """Check that the key signed two conflicting votes (stage 1).

    Raises:
        RuleViolation: "not-slashable", "bad-vote-signature".
    """
    if not is_slashable(payload.first.link, payload.second.link):
        raise RuleViolation(Code.NOT_SLASHABLE, "the two votes of the evidence are neither double nor surrounding")
    for which, vote in (("first", payload.first), ("second", payload.second)):
        if not bls.is_signed(payload.key, compute_vote_hash(params.chain_id, vote.link), vote.signature):
            raise RuleViolation(Code.BAD_VOTE_SIGNATURE, f"the {which} vote is not signed by {payload.key.hex()}")


def process_report(effects: Effects, sender: Address, payload: ReportVoter) -> None:
    """Burn the voter's bond except a tenth for the reporting account, and clear the voter's mined figure.

    Raises:
        RuleViolation: "unknown-voter": the key was never registered, or has no bond any more.
    """
    owner = effects.state.get_key_owner(payload.key)
    address = None if owner is None else Address(owner.owner)
    voter = None if address is None else effects.state.get_voter(address)
    if address is None or voter is None or voter.key != payload.key:
        raise RuleViolation(Code.UNKNOWN_VOTER, f"no voter has the BLS key {payload.key.hex()} under bond")
    reward = voter.bond // REPORTER_PART
    effects.move(address, Reason.VOTER_SLASHED, voter.bond, counterparty=sender)
    effects.burn(voter.bond - reward)
    effects.move(sender, Reason.REPORT_PAID, reward, counterparty=address)
    take_mined(effects, address)
    remove_voter(effects, address)
    effects.state.set_key_owner(payload.key, VoterKey(address, is_slashed=True))
