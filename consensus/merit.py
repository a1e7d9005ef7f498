"""Merit: verified paid work, spent to win more often (protocol, section 6)."""

import msgspec

from inos.consensus import amounts
from inos.consensus.codes import Code
from inos.consensus.records import Account
from inos.primitives.errors import RuleViolation
from inos.primitives.units import Tickets


def spend_merit(account: Account, difficulty: Tickets) -> Account:
    """The beneficiary after a block that uses merit: D less of it.

    Raises:
        RuleViolation: "merit-too-low".
    """
    if account.merit < difficulty:
        raise RuleViolation(
            Code.MERIT_TOO_LOW,
            "the block uses merit that its beneficiary does not have",
            expected=f"at least {difficulty}",
            got=account.merit,
        )
    return msgspec.structs.replace(account, merit=account.merit - difficulty)


def add_merit(account: Account, tickets: int) -> Account:
    """The worker after a settled job.

    Raises:
        RuleViolation: "overflow".
    """
    return msgspec.structs.replace(account, merit=amounts.add(account.merit, tickets, "merit"))
