"""Models of transactions and their payloads."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from inos.primitives.units import U32_MAX, U64_MAX
from inos.rpc.models.chain import LinkModel, MatrixRefModel
from inos.rpc.models.jobs import TaskModel
from inos.rpc.models.values import (
    AccountAddress,
    BigInteger,
    BlsKey,
    Count,
    Hash,
    HexBytes,
    JobMode,
    Model,
    NanoAmount,
    TransactionKind,
)


class TransferPayloadModel(Model):
    """transfer: pays an account."""

    to: Annotated[AccountAddress, Field(description="The account that is paid.")]
    amount: Annotated[NanoAmount, Field(description="What it is paid, without the fee.")]


class PaymentModel(Model):
    """One payment of a transfer_many."""

    to: Annotated[AccountAddress, Field(description="The account that is paid.")]
    amount: Annotated[NanoAmount, Field(description="What it is paid.")]


class TransferManyPayloadModel(Model):
    """transfer_many: pays up to 256 accounts."""

    total: Annotated[BigInteger, Field(description="Nano of all payments together, without the fee.")]
    payments: Annotated[list[PaymentModel], Field(description="The payments, sorted by the bytes of the addresses.")]


class PostJobPayloadModel(Model):
    """post_job: pays for a matrix product."""

    x: Annotated[MatrixRefModel, Field(description="The left operand X.")]
    w: Annotated[MatrixRefModel, Field(description="The right operand W; the product is X times W transposed.")]
    reward: Annotated[NanoAmount, Field(description="What the worker is paid.")]
    bond: Annotated[NanoAmount, Field(description="The bond that a claim requires.")]
    claim_window: Annotated[Count, Field(description="Blocks that a worker has to deliver after its claim.")]
    deadline: Annotated[
        int,
        Field(ge=0, le=U64_MAX, description="The last height at which to deliver, as signed; it may be out of range."),
    ]
    mode: Annotated[JobMode, Field(description="How the result is verified.")]
    max_burn: Annotated[NanoAmount, Field(description="The most that the poster lets the job burn.")]
    tickets: Annotated[Count, Field(description="The lottery tickets that multiplying the job draws.")]


class PostTaskPayloadModel(Model):
    """post_task: pays for a program or a function."""

    task: Annotated[TaskModel, Field(description="What is computed.")]
    reward: Annotated[NanoAmount, Field(description="What the worker is paid.")]
    bond: Annotated[NanoAmount, Field(description="The bond that a claim requires.")]
    claim_window: Annotated[Count, Field(description="Blocks that a worker has to deliver after its claim.")]
    deadline: Annotated[
        int,
        Field(ge=0, le=U64_MAX, description="The last height at which to deliver, as signed; it may be out of range."),
    ]
    max_burn: Annotated[NanoAmount, Field(description="The most that the poster lets the task burn.")]


class JobPayloadModel(Model):
    """claim_job, cancel_job or dispute: names the job."""

    job: Annotated[Hash, Field(description="The job's id.")]


class SubmitResultPayloadModel(Model):
    """submit_result: delivers a claimed job."""

    job: Annotated[Hash, Field(description="The job's id.")]
    y: Annotated[MatrixRefModel, Field(description="The result Y.")]


class SubmitOutcomePayloadModel(Model):
    """submit_outcome: delivers a claimed task."""

    job: Annotated[Hash, Field(description="The task's id.")]
    outputs: Annotated[list[Hash], Field(description="The ids of the outputs in the mesh, in order.")]


class ChallengePayloadModel(Model):
    """challenge: shows that a tile of a delivered result is wrong. The strips that show it are left out here."""

    job: Annotated[Hash, Field(description="The job's id.")]
    i: Annotated[int, Field(ge=0, le=U32_MAX, description="The tile's row: the index of the strip of X.")]
    j: Annotated[int, Field(ge=0, le=U32_MAX, description="The tile's column: the index of the strip of W.")]


class RegisterVoterPayloadModel(Model):
    """register_voter: registers a voter for finality."""

    key: Annotated[BlsKey, Field(description="The voter's key.")]
    proof: Annotated[HexBytes, Field(description="The proof that the sender has the key's secret.")]
    bond: Annotated[NanoAmount, Field(description="The voter's bond.")]


class ReportVoterPayloadModel(Model):
    """report_voter: shows two votes of one key that exclude each other."""

    key: Annotated[BlsKey, Field(description="The voter's key.")]
    first: Annotated[LinkModel, Field(description="The first vote.")]
    second: Annotated[LinkModel, Field(description="The second vote.")]


class JuryVotePayloadModel(Model):
    """jury_vote: commits a juror's verdict."""

    job: Annotated[Hash, Field(description="The disputed job's id.")]
    drawn_at: Annotated[Count, Field(description="The height at which the jury was drawn.")]
    key: Annotated[BlsKey, Field(description="The juror's key as a voter.")]
    commitment: Annotated[Hash, Field(description="The hash of the verdict, which is opened later.")]


class JuryRevealPayloadModel(Model):
    """jury_reveal: opens a juror's verdict."""

    job: Annotated[Hash, Field(description="The disputed job's id.")]
    drawn_at: Annotated[Count, Field(description="The height at which the jury was drawn.")]
    key: Annotated[BlsKey, Field(description="The juror's key as a voter.")]
    verdict: Annotated[Literal["right", "wrong", "unavailable"], Field(description="What the juror says.")]


class EmptyPayloadModel(Model):
    """unbond_voter or withdraw_bond: the payload has no fields."""


TransactionPayload = TypeAliasType(
    "TransactionPayload",
    Annotated[
        TransferPayloadModel
        | TransferManyPayloadModel
        | PostJobPayloadModel
        | PostTaskPayloadModel
        | SubmitResultPayloadModel
        | SubmitOutcomePayloadModel
        | ChallengePayloadModel
        | JobPayloadModel
        | RegisterVoterPayloadModel
        | ReportVoterPayloadModel
        | JuryVotePayloadModel
        | JuryRevealPayloadModel
        | EmptyPayloadModel,
        Field(description="The parameters of what a transaction does; its kind says which of these they are."),
    ],
)


class MultisigModel(Model):
    """The owners of an account of several keys."""

    threshold: Annotated[Count, Field(description="So many of the keys sign each transaction.")]
    keys: Annotated[list[Hash], Field(description="All keys, in ascending order; the address is a hash of them.")]
    signed_by: Annotated[list[Hash], Field(description="The keys that signed this transaction.")]


class TransactionModel(Model):
    """A decoded transaction."""

    id: Annotated[Hash, Field(description="The transaction's id.")]
    kind: Annotated[TransactionKind, Field(description="What the transaction does.")]
    sender: Annotated[AccountAddress, Field(description="The account that signed the transaction and pays the fee.")]
    sender_key: Annotated[Hash | None, Field(description="The sender's public key; null if it has several.")]
    multisig: Annotated[MultisigModel | None, Field(description="The sender's keys if it has several; else null.")]
    nonce: Annotated[Count, Field(description="The number of transactions of the sender before this one.")]
    fee: Annotated[NanoAmount, Field(description="The fee for the block's beneficiary.")]
    size: Annotated[Count, Field(description="Bytes of the canonical encoding.")]
    payload: Annotated[TransactionPayload, Field(description="The parameters of what the transaction does, by kind.")]
    signature: Annotated[HexBytes, Field(description="The sender's signature.")]


class SentTransactionModel(Model):
    """A transaction that the node accepted into its pool."""

    id: Annotated[Hash, Field(description="The transaction's id.")]
