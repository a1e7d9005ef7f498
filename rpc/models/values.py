"""The base class of all models, and the types of single values in JSON.

Amounts, weights and reputation are decimal strings, because JSON readers may take large numbers as floats. Ids,
roots and targets are lower-case hex, addresses bech32m, times milliseconds since 1970 UTC. Each type is a schema of its
own in the OpenRPC document, under the name it has here.
"""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypeAliasType

Hash = TypeAliasType(
    "Hash",
    Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(description="32 bytes as 64 hex digits.")],
)
HexText = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$")]
"""Bytes as hex digits, for fields that bound their length."""
HexBytes = TypeAliasType("HexBytes", Annotated[HexText, Field(description="Bytes as hex digits.")])
NanoAmount = TypeAliasType(
    "NanoAmount",
    Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{1,26}$"),
        Field(description="An amount in nano as a decimal string; 10^9 nano are one credit."),
    ],
)
NanoChange = TypeAliasType(
    "NanoChange",
    Annotated[
        str,
        StringConstraints(pattern=r"^-?[0-9]{1,26}$"),
        Field(description="A change in nano as a decimal string; negative if the account lost it."),
    ],
)
BigInteger = TypeAliasType(
    "BigInteger",
    Annotated[
        str, StringConstraints(pattern=r"^[0-9]+$"), Field(description="A non-negative integer as a decimal string.")
    ],
)
Ratio = TypeAliasType(
    "Ratio",
    Annotated[
        str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$"), Field(description="A fraction as a decimal string.")
    ],
)
AccountAddress = TypeAliasType(
    "AccountAddress",
    Annotated[
        str,
        StringConstraints(min_length=8, max_length=90),
        Field(description="The address of an account in bech32m, e.g. dinos1..."),
    ],
)
BlockHeight = TypeAliasType(
    "BlockHeight",
    Annotated[int, Field(ge=0, le=2**63 - 1, description="A block's height: the number of blocks below it.")],
)
UnixMs = TypeAliasType(
    "UnixMs", Annotated[int, Field(ge=0, description="A time in milliseconds since 1970-01-01 00:00 UTC.")]
)
BlsKey = TypeAliasType("BlsKey", Annotated[str, Field(description="A BLS public key, 48 bytes as 96 hex digits.")])
BlockName = TypeAliasType(
    "BlockName",
    Annotated[
        BlockHeight | Literal["latest"] | Hash,
        Field(description='A block: its height on the best chain, its id, or "latest" for the tip.'),
    ],
)
BlockParam = Annotated[
    BlockName,
    Field(
        validation_alias=AliasChoices("block", "id", "height"),
        description='The block\'s height on the best chain, its id, or "latest". The parameter may also be called id '
        "or height.",
    ),
]
BlockFinality = TypeAliasType(
    "BlockFinality",
    Annotated[
        Literal["final", "justified", "none"],
        Field(
            description='"final": the block is never undone. "justified": two thirds of a committee voted for a '
            'checkpoint at or above it. "none": neither.'
        ),
    ],
)
JobState = TypeAliasType(
    "JobState",
    Annotated[
        Literal["open", "claimed", "delivered", "disputed", "settled", "cancelled", "undecided"],
        Field(
            description='"open": any worker may claim the job. "claimed": one worker has until expires_at. '
            '"delivered": the result can be challenged or disputed until it is paid. "disputed": a jury decides about '
            'it. "settled": the worker was paid. "cancelled": the poster got the reward back. "undecided": the jury '
            "came to no decision, and the reward was burned."
        ),
    ],
)
JobMode = TypeAliasType(
    "JobMode",
    Annotated[
        Literal["checked", "optimistic"],
        Field(
            description='"checked": every node checks the product before it accepts the result. "optimistic": the '
            "result is paid after a window in which anyone can challenge it."
        ),
    ],
)
TaskKind = TypeAliasType(
    "TaskKind",
    Annotated[
        Literal["program", "function"],
        Field(description='"program": a graph of exact integer tensor operations. "function": a WebAssembly command.'),
    ],
)
JobKind = TypeAliasType(
    "JobKind",
    Annotated[
        Literal["product", "program", "function"],
        Field(
            description='"product": a matrix product. "program" and "function": a whole computation, which is always '
            "optimistic."
        ),
    ],
)
MatrixDtype = TypeAliasType(
    "MatrixDtype",
    Annotated[
        Literal["int8", "int32", "bytes"],
        Field(description='"int8" is an operand with entries from -64 to 63, "int32" a product, "bytes" a file.'),
    ],
)
TransactionKind = TypeAliasType(
    "TransactionKind",
    Annotated[
        Literal[
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
            "dispute",
            "jury_vote",
            "jury_reveal",
            "post_task",
            "submit_outcome",
            "transfer_many",
        ],
        Field(description="What a transaction does."),
    ],
)
Count = Annotated[int, Field(ge=0)]


class Model(BaseModel):
    """Base of all parameters and results: it is frozen, coerces nothing and refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoParams(Model):
    """The method takes no parameters."""


def compute_ratio(part: int, whole: int, decimals: int) -> str:
    """Return part / whole, rounded half up to `decimals` places in integer arithmetic; "0" if whole is 0."""
    if whole <= 0:
        return "0"
    scaled = (2 * part * 10**decimals + whole) // (2 * whole)
    digits = f"{scaled:0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
