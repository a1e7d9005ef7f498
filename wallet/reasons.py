"""Why nano moved on an account, in the words that `inos wallet history` shows."""

from typing import Final

from inos.consensus.movements import Reason

DESCRIPTIONS: Final[dict[Reason, str]] = {
    Reason.ALLOCATED: "allocated at genesis",
    Reason.FEE: "fee",
    Reason.SENT: "sent",
    Reason.RECEIVED: "received",
    Reason.JOB_REWARD_ESCROWED: "job reward escrowed",
    Reason.JOB_BURN: "job burn",
    Reason.JOB_REWARD_RETURNED: "job reward returned",
    Reason.JOB_PAID: "job paid",
    Reason.CLAIM_BOND_LOCKED: "claim bond locked",
    Reason.CLAIM_BOND_RETURNED: "claim bond returned",
    Reason.CLAIM_LAPSED: "claim lapsed",
    Reason.LAPSE_COMPENSATION: "lapse compensation",
    Reason.RESULT_CHALLENGED: "result challenged, bond lost",
    Reason.CHALLENGE_PAID: "challenge paid",
    Reason.VOTER_BOND_LOCKED: "voter bond locked",
    Reason.VOTER_BOND_WITHDRAWN: "voter bond withdrawn",
    Reason.VOTER_SLASHED: "voter slashed, bond lost",
    Reason.REPORT_PAID: "report of a voter paid",
    Reason.SUBSIDY: "subsidy",
    Reason.FEES_COLLECTED: "fees collected",
    Reason.DISPUTE_STAKED: "dispute staked",
    Reason.STAKE_RETURNED: "dispute's stake returned",
    Reason.STAKE_LOST: "dispute's jury fee paid",
    Reason.BOND_TO_JURY: "jury fee paid from the bond",
    Reason.RESULT_REJECTED: "rejected by jury, bond lost",
    Reason.DISPUTE_PAID: "dispute won, part of the bond",
    Reason.JURY_PAID: "jury seat paid",
    Reason.JUROR_SILENT: "verdict not opened, bond cut",
    Reason.VOTES_PAID: "votes paid from the pot",
    Reason.VOTES_INCLUDED: "votes included in a block",
}
"""At most 28 characters each, the width of the column."""
_BY_NAME: Final = {reason.name.lower(): text for reason, text in DESCRIPTIONS.items()}


def describe_reason(name: str) -> str:
    """Return the words for a reason as a node names it; a name that is not known here is only spelled with spaces."""
    return _BY_NAME.get(name, name.replace("_", " "))
