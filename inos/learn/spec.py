"""A run is data: its spec, and the record of each step, which names the record before.

Both are canonical JSON, and their ids are those that their bytes have in the mesh. A step's record names all that the
step made: the gradient of each shard, the new weights, the optimiser's state. So the last record's id stands for the
whole run, and any step can be computed again from the spec and the record before it.
"""

from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from inos.compiler.compiled import Port
from inos.learn.errors import LearnError
from inos.learn.optimisers import Optimiser
from inos.learn.parameters import Parameter
from inos.work.files import compute_file_id

VERSION: Final[Literal[1]] = 1
T = TypeVar("T")
FileId: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""The id of a file in hex."""
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 31)]


class RunSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Says what a run computes. All ids are hex.

    Attributes:
        gradient, update, prediction: the programs. The first one names its data by id.
        weights, state: of the first step, as files.
        seed: what examples are drawn and updates are rounded by.
        shards: gradients of a step, each of `examples` examples.
        terms: how many terms the loss of a shard is a mean of.
        parameters: where each parameter of the module lies in the row of all weights.
        input, output: of the prediction.
    """

    version: Literal[1]
    gradient: FileId
    update: FileId
    prediction: FileId
    weights: FileId
    state: FileId
    seed: Count
    steps: Number
    shards: Number
    examples: Number
    terms: Number
    loss: str
    optimiser: Optimiser
    parameters: tuple[Parameter, ...]
    input: Port
    output: Port


class ShardRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Names the files that one task of a step made, by their ids in hex."""

    gradient: FileId
    metrics: FileId


class StepRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Names what a step made.

    Attributes:
        run: the spec's id.
        step: from 1 on.
        parent: the id of the record before, or of the spec for the first step.
        shards: what each shard's task made, in order.
        weights, state: after the step.
        loss: the sum of all losses, with 12 fraction bits.
        right: how many examples were guessed right.
    """

    run: FileId
    step: Number
    parent: FileId
    shards: tuple[ShardRecord, ...]
    weights: FileId
    state: FileId
    loss: int
    right: int


def encode(value: Struct) -> bytes:
    """Return the canonical JSON of a spec or a record."""
    return msgspec.json.encode(value)


def compute_id(value: Struct) -> str:
    """Return the id of a spec or a record in hex."""
    return compute_file_id(encode(value)).hex()


def decode(data: bytes, kind: type[T], name: str) -> T:
    """Read a spec or a record.

    Raises:
        LearnError: "bad-run": the bytes are not the canonical JSON of one.
    """
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LearnError("bad-run", f"{name} cannot be read: {error}") from None
    if msgspec.json.encode(found) != data:
        raise LearnError("bad-run", f"{name} is not written as training writes it: spaces, order or numbers differ")
    return found
