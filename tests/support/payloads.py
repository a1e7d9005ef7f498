"""One payload of every kind; they are well-formed but name objects that do not exist."""

from typing import Final

from inos.primitives.matrices import STRIP_BYTES, StripRow
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transfer,
    TransferMany,
    UnbondVoter,
    Verdict,
    WithdrawBond,
)
from inos.primitives.votes import Checkpoint, Link, SignedLink
from support.consensus_lab import BOB, make_post, make_result, make_task
from support.voters import get_bls_key, prove

_ROW: Final = StripRow(bytes(STRIP_BYTES), ())
_VOTE: Final = SignedLink(Link(Checkpoint(0, bytes(32)), Checkpoint(1, bytes(32))), bytes(96))

PAYLOADS: Final[dict[type[Payload], Payload]] = {
    Transfer: Transfer(BOB.address, 1),
    TransferMany: TransferMany(pack_payments([Payment(BOB.address, 1000)])),
    PostJob: make_post(5),
    ClaimJob: ClaimJob(bytes(32)),
    SubmitResult: SubmitResult(bytes(32), make_result(3, 4)),
    CancelJob: CancelJob(bytes(32)),
    Challenge: Challenge(bytes(32), 0, 0, _ROW, _ROW, _ROW),
    RegisterVoter: RegisterVoter(get_bls_key("bob"), prove("bob"), 1000),
    UnbondVoter: UnbondVoter(),
    WithdrawBond: WithdrawBond(),
    ReportVoter: ReportVoter(get_bls_key("bob"), _VOTE, _VOTE),
    Dispute: Dispute(bytes(32)),
    JuryVote: JuryVote(bytes(32), 5, get_bls_key("bob"), bytes(32), bytes(96)),
    PostTask: make_task(5),
    SubmitOutcome: SubmitOutcome(bytes(32), (b"\x54" * 32,)),
    JuryReveal: JuryReveal(bytes(32), 5, get_bls_key("bob"), Verdict.RIGHT, bytes(32), bytes(96)),
}
