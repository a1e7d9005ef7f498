"""Functions that make the models from the chain's structs."""

from typing import Final, Literal, assert_never

from inos.consensus.records import Claim, Job, JobState, ProductWork, StateKey, TaskWork
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Header, compute_block_id, compute_difficulty, get_target
from inos.primitives.codec import encode
from inos.primitives.matrices import MatrixRef, Seal, compute_tickets
from inos.primitives.multisig import Multisig
from inos.primitives.payments import compute_total, iterate_payments
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    TaskKind,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    Verdict,
    WithdrawBond,
    compute_tx_id,
    get_sender,
    list_signatures,
)
from inos.primitives.units import Address, BlockId, JobId
from inos.primitives.votes import Checkpoint, Link
from inos.rpc.errors import make_invalid_param
from inos.rpc.models.chain import CheckpointModel, HeaderModel, LinkModel, MatrixRefModel, SealModel, StateProofModel
from inos.rpc.models.jobs import ClaimModel, JobModel, TaskModel
from inos.rpc.models.transactions import (
    ChallengePayloadModel,
    EmptyPayloadModel,
    JobPayloadModel,
    JuryRevealPayloadModel,
    JuryVotePayloadModel,
    MultisigModel,
    PaymentModel,
    PostJobPayloadModel,
    PostTaskPayloadModel,
    RegisterVoterPayloadModel,
    ReportVoterPayloadModel,
    SubmitOutcomePayloadModel,
    SubmitResultPayloadModel,
    TransactionModel,
    TransactionPayload,
    TransferManyPayloadModel,
    TransferPayloadModel,
)
from inos.rpc.models.values import BlockFinality, JobKind, TransactionKind
from inos.rpc.models.values import JobMode as JobModeName
from inos.rpc.models.values import JobState as JobStateName
from inos.rpc.ports import NodePort
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError

STATE_NAMES: Final[dict[JobState, JobStateName]] = {
    JobState.OPEN: "open",
    JobState.CLAIMED: "claimed",
    JobState.DELIVERED: "delivered",
    JobState.DISPUTED: "disputed",
    JobState.UNDECIDED: "undecided",
    JobState.SETTLED: "settled",
    JobState.CANCELLED: "cancelled",
}
MODE_NAMES: Final[dict[JobMode, JobModeName]] = {JobMode.CHECKED: "checked", JobMode.OPTIMISTIC: "optimistic"}
TASK_NAMES: Final[dict[TaskKind, Literal["program", "function"]]] = {
    TaskKind.PROGRAM: "program",
    TaskKind.FUNCTION: "function",
}
MODES: Final = {name: mode for mode, name in MODE_NAMES.items()}
VERDICT_NAMES: Final[dict[Verdict, Literal["right", "wrong", "unavailable"]]] = {
    Verdict.RIGHT: "right",
    Verdict.WRONG: "wrong",
    Verdict.UNAVAILABLE: "unavailable",
}
STATES: Final = {name: state for state, name in STATE_NAMES.items()}
KINDS: Final[dict[type[Payload], TransactionKind]] = {
    Transfer: "transfer",
    PostJob: "post_job",
    ClaimJob: "claim_job",
    SubmitResult: "submit_result",
    CancelJob: "cancel_job",
    Challenge: "challenge",
    RegisterVoter: "register_voter",
    UnbondVoter: "unbond_voter",
    WithdrawBond: "withdraw_bond",
    ReportVoter: "report_voter",
    Dispute: "dispute",
    JuryVote: "jury_vote",
    JuryReveal: "jury_reveal",
    PostTask: "post_task",
    SubmitOutcome: "submit_outcome",
    TransferMany: "transfer_many",
}


class Renderer:
    """Renders structs of one network, whose address prefix it is given."""

    def __init__(self, hrp: str) -> None:
        self._hrp = hrp

    def address(self, address: bytes) -> str:
        return encode_address(self._hrp, Address(address))

    def header(self, header: Header, *, status: str, finality: BlockFinality, confirmations: int) -> HeaderModel:
        """Render a header; `status`, `finality` and `confirmations` come from the ledger."""
        return HeaderModel(
            id=compute_block_id(header).hex(),
            height=header.height,
            version=header.version,
            chain_id=header.chain_id,
            parent=header.parent.hex(),
            time_ms=header.time_ms,
            tx_root=header.tx_root.hex(),
            state_root=header.state_root.hex(),
            target=header.target.hex(),
            difficulty=str(compute_difficulty(get_target(header))),
            beneficiary=self.address(header.beneficiary),
            nonce=str(header.nonce),
            seal=None if header.seal is None else render_seal(header.seal),
            status=status,
            finality=finality,
            confirmations=confirmations,
        )

    def transaction(self, tx: Transaction) -> TransactionModel:
        return TransactionModel(
            id=compute_tx_id(tx).hex(),
            kind=KINDS[type(tx.payload)],
            sender=self.address(get_sender(tx)),
            sender_key=None if isinstance(tx.sender, Multisig) else tx.sender.hex(),
            multisig=_render_multisig(tx),
            nonce=tx.nonce,
            fee=str(tx.fee),
            size=len(encode(tx)),
            payload=self.payload(tx.payload),
            signature=tx.signature.hex(),
        )

    def payload(self, payload: Payload) -> TransactionPayload:
        match payload:
            case Transfer():
                return TransferPayloadModel(to=self.address(payload.to), amount=str(payload.amount))
            case TransferMany():
                return TransferManyPayloadModel(
                    total=str(compute_total(payload.payments)),
                    payments=[
                        PaymentModel(to=self.address(to), amount=str(amount))
                        for to, amount in iterate_payments(payload.payments)
                    ],
                )
            case PostJob():
                return PostJobPayloadModel(
                    x=render_ref(payload.x),
                    w=render_ref(payload.w),
                    reward=str(payload.reward),
                    bond=str(payload.bond),
                    claim_window=payload.claim_window,
                    deadline=payload.deadline,
                    mode=MODE_NAMES[payload.mode],
                    max_burn=str(payload.max_burn),
                    tickets=compute_tickets(payload.x.rows, payload.w.rows, payload.x.cols),
                )
            case PostTask():
                return PostTaskPayloadModel(
                    task=render_task(payload),
                    reward=str(payload.reward),
                    bond=str(payload.bond),
                    claim_window=payload.claim_window,
                    deadline=payload.deadline,
                    max_burn=str(payload.max_burn),
                )
            case SubmitOutcome():
                return SubmitOutcomePayloadModel(
                    job=payload.job.hex(), outputs=[output.hex() for output in payload.outputs]
                )
            case SubmitResult():
                return SubmitResultPayloadModel(job=payload.job.hex(), y=render_ref(payload.y))
            case Challenge():
                return ChallengePayloadModel(job=payload.job.hex(), i=payload.i, j=payload.j)
            case ClaimJob() | CancelJob() | Dispute():
                return JobPayloadModel(job=payload.job.hex())
            case RegisterVoter():
                return RegisterVoterPayloadModel(
                    key=payload.key.hex(), proof=payload.proof.hex(), bond=str(payload.bond)
                )
            case UnbondVoter() | WithdrawBond():
                return EmptyPayloadModel()
            case ReportVoter():
                first, second = payload.first.link, payload.second.link
                return ReportVoterPayloadModel(
                    key=payload.key.hex(), first=render_link(first), second=render_link(second)
                )
            case JuryVote():
                return JuryVotePayloadModel(
                    job=payload.job.hex(),
                    drawn_at=payload.drawn_at,
                    key=payload.key.hex(),
                    commitment=payload.commitment.hex(),
                )
            case JuryReveal():
                return JuryRevealPayloadModel(
                    job=payload.job.hex(),
                    drawn_at=payload.drawn_at,
                    key=payload.key.hex(),
                    verdict=VERDICT_NAMES[payload.verdict],
                )
            case _:
                assert_never(payload)

    def claim(self, claim: Claim) -> ClaimModel:
        return ClaimModel(
            worker=self.address(claim.worker),
            bond=str(claim.bond),
            claimed_at=claim.claimed_at,
            expires_at=claim.expires_at,
        )

    def job(self, job_id: JobId, job: Job, claim: Claim | None) -> JobModel:
        product = job.work if isinstance(job.work, ProductWork) else None
        task = job.work if isinstance(job.work, TaskWork) else None
        return JobModel(
            id=job_id.hex(),
            state=STATE_NAMES[job.state],
            poster=self.address(job.poster),
            kind=get_job_kind(job),
            x=None if product is None else render_ref(product.x),
            w=None if product is None else render_ref(product.w),
            task=None if task is None else render_task(task),
            tickets=job.work.tickets,
            units=job.work.tickets if task is None else task.units,
            reward=str(job.reward),
            bond=str(job.bond),
            burned=str(job.burned),
            claim_window=job.claim_window,
            deadline=job.deadline,
            mode=MODE_NAMES[job.mode],
            posted_at=job.posted_at,
            closed_at=job.closed_at or None,
            worker=None if job.worker is None else self.address(job.worker),
            claim=None if claim is None else self.claim(claim),
            y=None if product is None or product.y is None else render_ref(product.y),
            outputs=None if task is None or task.outputs is None else [output.hex() for output in task.outputs],
        )


def get_job_kind(job: Job) -> JobKind:
    """Return what a job asks for."""
    return TASK_NAMES[job.work.kind] if isinstance(job.work, TaskWork) else "product"


def render_ref(ref: MatrixRef) -> MatrixRefModel:
    return MatrixRefModel(id=ref.id.hex(), rows=ref.rows, cols=ref.cols, root=ref.root.hex())


def _render_multisig(tx: Transaction) -> MultisigModel | None:
    owners = tx.sender
    if not isinstance(owners, Multisig):
        return None
    signed_by = [key.hex() for key, _ in list_signatures(tx) or ()]
    return MultisigModel(threshold=owners.threshold, keys=[key.hex() for key in owners.keys], signed_by=signed_by)


def render_task(task: TaskWork | PostTask) -> TaskModel:
    return TaskModel(
        kind=TASK_NAMES[task.kind],
        spec=task.spec.hex(),
        inputs=[each.hex() for each in task.inputs],
        tickets=task.tickets,
        units=task.units,
    )


def render_checkpoint(checkpoint: Checkpoint) -> CheckpointModel:
    return CheckpointModel(epoch=checkpoint.epoch, id=checkpoint.id.hex())


def render_link(link: Link) -> LinkModel:
    return LinkModel(source=render_checkpoint(link.source), target=render_checkpoint(link.target))


def render_seal(seal: Seal) -> SealModel:
    return SealModel(x=render_ref(seal.x), w=render_ref(seal.w), i=seal.i, j=seal.j, p=seal.p, digest=seal.digest.hex())


def render_proof(
    key: StateKey, block: BlockId, header: Header, value: bytes | None, proof: StateProof
) -> StateProofModel:
    return StateProofModel(
        key=key.hex(),
        value=None if value is None else value.hex(),
        state_root=header.state_root.hex(),
        block=block.hex(),
        siblings=[sibling.hex() for sibling in proof.siblings],
        other_path=None if proof.other is None else proof.other.path.hex(),
        other_value=None if proof.other is None else proof.other.value.hex(),
    )


def make_renderer(node: NodePort) -> Renderer:
    return Renderer(node.network.hrp)


def read_address(node: NodePort, text: str, param: str = "address") -> Address:
    """Return the address that a parameter holds.

    Raises:
        RpcError: invalid params, with the wallet's code ("bad-checksum", "other-network", "not-an-address").
    """
    try:
        return decode_address(node.network.hrp, text)
    except WalletError as error:
        raise make_invalid_param(param, error.message, code=error.code, hint=error.hint) from error
