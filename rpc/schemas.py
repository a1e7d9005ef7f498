"""What several methods share of the JSON: how values are spelled, and the models of the chain's own things.

Amounts are decimal strings in nano and weights and reputation decimal strings too, as
JSON readers may take large numbers as floats; ids, roots and targets are lower-case hex;
addresses bech32m; times milliseconds since 1970 UTC.
"""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from inos.primitives.units import U32_MAX, U64_MAX

Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(description="32 bytes as 64 hex digits.")]
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$"), Field(description="Bytes as hex digits.")]
NanoText = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,26}$"), Field(description="Nano, decimal; 10^9 nano are one credit.")
]
SignedNanoText = Annotated[
    str, StringConstraints(pattern=r"^-?[0-9]{1,26}$"), Field(description="Nano, decimal; negative where it was taken.")
]
NumberText = Annotated[str, StringConstraints(pattern=r"^[0-9]+$"), Field(description="A whole number, decimal.")]
RatioText = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$"), Field(description="A decimal fraction.")]
AddressText = Annotated[
    str, StringConstraints(min_length=8, max_length=90), Field(description="An address, bech32m, e.g. dinos1...")
]
HeightNumber = Annotated[int, Field(ge=0, le=2**63 - 1, description="Blocks since genesis.")]
Count = Annotated[int, Field(ge=0)]
BlockName = Annotated[
    HeightNumber | Literal["latest"] | Hex32,
    Field(
        validation_alias=AliasChoices("block", "id", "height"),
        description='A height, an id, or "latest". May also be named id or height.',
    ),
]

JobStateName = Literal["open", "claimed", "delivered", "settled", "cancelled"]
TxKind = Literal[
    "transfer",
    "post_job",
    "claim_job",
    "submit_result",
    "cancel_job",
    "challenge",
    "register_voter",
    "unbond_voter",
    "withdraw_bond",
    "report_voter",
]


class Model(BaseModel):
    """Base of all parameters and results: no coercion, no unknown members, not changed after it is made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoParams(Model):
    """The method takes no parameters."""


class MatrixRefModel(Model):
    """A matrix by content: the id binds data type, dimensions and the root over its strips."""

    id: Hex32
    rows: Count
    cols: Count
    root: Hex32


class SealModel(Model):
    """The winning ticket (i, j, p) of the product of x and w, and its digest."""

    x: MatrixRefModel
    w: MatrixRefModel
    i: Annotated[int, Field(ge=0, le=U32_MAX)]
    j: Annotated[int, Field(ge=0, le=U32_MAX)]
    p: Annotated[int, Field(ge=0, le=U32_MAX)]
    digest: Hex32


StandingName = Annotated[
    Literal["final", "justified", "open"],
    Field(description="Never undone; two thirds voted for a checkpoint at or above it; neither."),
]


class HeaderModel(Model):
    """A block's header, its id, and where it stands."""

    id: Hex32
    height: HeightNumber
    version: int
    chain_id: int
    parent: Hex32
    time_ms: int
    tx_root: Hex32
    state_root: Hex32
    target: Hex32
    difficulty: Annotated[NumberText, Field(description="Nominal number of tickets per block at this target.")]
    beneficiary: AddressText
    nonce: NumberText
    seal: Annotated[SealModel | None, Field(description="Null in the genesis block only.")]
    standing: StandingName
    status: Annotated[str, Field(description='"connected" on the best chain, else what this node has of it.')]
    confirmations: Annotated[int, Field(ge=0, description="1 for the tip; 0 off the best chain.")]


class TransferModel(Model):
    to: AddressText
    amount: NanoText


class PostJobModel(Model):
    x: MatrixRefModel
    w: MatrixRefModel
    reward: NanoText
    bond: NanoText
    claim_window: int
    deadline: Annotated[int, Field(ge=0, le=U64_MAX, description="As signed: no block may ever allow it.")]
    mode: Literal["checked", "optimistic"]
    max_burn: NanoText
    tickets: Count


class JobIdModel(Model):
    """What a claim and a cancellation say: which job."""

    job: Hex32


class ResultModel(Model):
    job: Hex32
    y: MatrixRefModel


class ChallengeModel(Model):
    """Which tile of a delivered result is shown wrong; the strips that show it are left out."""

    job: Hex32
    i: Annotated[int, Field(ge=0, le=U32_MAX)]
    j: Annotated[int, Field(ge=0, le=U32_MAX)]


class CheckpointModel(Model):
    """The last block of an epoch."""

    epoch: Count
    id: Hex32


class LinkModel(Model):
    """What a vote says: the target is to be justified, from the source."""

    source: CheckpointModel
    target: CheckpointModel


class RegisterVoterModel(Model):
    key: Hex
    proof: Hex
    bond: NanoText


class ReportVoterModel(Model):
    """Two votes of one key that nobody may sign both."""

    key: Hex
    first: LinkModel
    second: LinkModel


class JuryVoteModel(Model):
    """A juror's committed verdict."""

    job: Hex32
    drawn_at: Count
    """Height at which the jury was drawn."""
    key: Hex
    commitment: Hex32


class JuryRevealModel(Model):
    """A juror's opened verdict: right, wrong or unavailable."""

    job: Hex32
    drawn_at: Count
    """Height at which the jury was drawn."""
    key: Hex
    verdict: str


class NothingModel(Model):
    """The kind says it all."""


PayloadModel = (
    TransferModel
    | PostJobModel
    | ResultModel
    | ChallengeModel
    | JobIdModel
    | RegisterVoterModel
    | ReportVoterModel
    | JuryVoteModel
    | JuryRevealModel
    | NothingModel
)


class TransactionModel(Model):
    """A transaction, decoded."""

    id: Hex32
    kind: TxKind
    sender: AddressText
    sender_key: Hex32
    nonce: Count
    fee: NanoText
    size: Annotated[int, Field(description="Bytes of the canonical encoding.")]
    payload: PayloadModel
    signature: Hex


class ClaimModel(Model):
    worker: AddressText
    bond: NanoText
    claimed_at: HeightNumber
    expires_at: Annotated[
        HeightNumber, Field(description="Last height to deliver at; of a delivered job the height at which it is paid.")
    ]


class JobModel(Model):
    """A job as the tip's state has it."""

    id: Hex32
    state: JobStateName
    poster: AddressText
    x: MatrixRefModel
    w: MatrixRefModel
    tickets: Count
    reward: NanoText
    bond: NanoText
    burned: NanoText
    claim_window: int
    deadline: HeightNumber
    mode: Literal["checked", "optimistic"]
    posted_at: HeightNumber
    closed_at: Annotated[HeightNumber | None, Field(description="Height of settlement or cancellation.")]
    worker: Annotated[AddressText | None, Field(description="Who holds the claim, or who delivered.")]
    claim: ClaimModel | None
    y: Annotated[MatrixRefModel | None, Field(description="The result, once delivered.")]
    rows_done: Annotated[
        Count | None, Field(description="Rows of it that this node's own miner has made; only job_get tells them.")
    ] = None


def compute_ratio(part: int, whole: int, decimals: int) -> str:
    """part / whole rounded half up to `decimals` places, from integers alone; "0" where whole is 0."""
    if whole <= 0:
        return "0"
    scaled = (2 * part * 10**decimals + whole) // (2 * whole)
    digits = f"{scaled:0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
