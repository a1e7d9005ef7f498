"""The canonical encoding of a program: msgpack `[1, inputs, nodes, outputs]` (docs/programs.md, "Encoding").

The decoder reads a loop's body only after it has counted the nodes around it, so that its work and memory stay in
proportion to the bytes.
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from inos.primitives.units import MatrixId
from inos.programs.errors import InvalidProgram
from inos.programs.limits import (
    MAX_INLINE_BYTES,
    MAX_INPUTS,
    MAX_ITERATIONS,
    MAX_NESTING,
    MAX_NODES,
    MAX_OPERANDS,
    MAX_PROGRAM_BYTES,
)
from inos.programs.ops import SimpleOp
from inos.programs.structure import Inline, Input, Node, Numbers, Program, Repeat
from inos.work.files import compute_file_id


class _Repeat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=13):
    count: Annotated[int, Meta(ge=1, le=MAX_ITERATIONS)]
    body: Raw
    carried: Annotated[int, Meta(ge=0, le=MAX_OPERANDS)]
    scanned: Annotated[int, Meta(ge=0, le=MAX_OPERANDS)]


_Op: TypeAlias = SimpleOp | _Repeat


class _Node(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    op: _Op
    operands: Numbers


class _Program(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    inputs: Annotated[tuple[Input, ...], Meta(max_length=MAX_INPUTS)]
    nodes: Annotated[tuple[_Node, ...], Meta(max_length=MAX_NODES)]
    outputs: Numbers


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Program)


def encode_program(program: Program) -> bytes:
    """Return the canonical bytes.

    Raises:
        InvalidProgram: "inline-too-large", "program-too-large".
    """
    for index, each in enumerate(program.inputs):
        if isinstance(each.source, Inline) and len(each.source.data) > MAX_INLINE_BYTES:
            raise InvalidProgram(
                "inline-too-large",
                f"input {index} has {len(each.source.data)} bytes inline; a program holds {MAX_INLINE_BYTES} of one",
                hint="keep the constant in the mesh, and name it by its id",
            )
    data = _encoder.encode(program)
    if len(data) > MAX_PROGRAM_BYTES:
        raise _make_size_error(len(data))
    return data


def decode_program(data: bytes) -> Program:
    """Read the canonical bytes of a program. Its types are not checked: `check_program` does that.

    Raises:
        InvalidProgram: "program-too-large", "malformed-program", "too-many", or "not-canonical" if these are not the
            one encoding.
    """
    if len(data) > MAX_PROGRAM_BYTES:
        raise _make_size_error(len(data))
    program = _Reader().read(data, nesting=0)
    if _encoder.encode(program) != data:
        raise InvalidProgram("not-canonical", "the program is not in its canonical encoding")
    return program


def compute_program_id(program: Program) -> MatrixId:
    """Return the program's id: the id that its encoded bytes have as a file of the mesh. It raises as encoding does."""
    return compute_file_id(encode_program(program))


class _Reader:
    """Counts the nodes of one program while it reads its bodies."""

    def __init__(self) -> None:
        self._nodes = 0

    def read(self, data: bytes | Raw, nesting: int) -> Program:
        if nesting > MAX_NESTING:
            raise InvalidProgram("too-many", f"loops are nested deeper than {MAX_NESTING}")
        try:
            found = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            where = "a loop's body" if nesting else "the file"
            raise InvalidProgram("malformed-program", f"{where} is not an encoded program: {error}") from None
        self._nodes += len(found.nodes)
        if self._nodes > MAX_NODES:
            raise InvalidProgram("too-many", f"the program has more than {MAX_NODES} nodes, bodies included")
        nodes = tuple([Node(self._read_op(node.op, nesting), node.operands) for node in found.nodes])
        return Program(found.inputs, nodes, found.outputs)

    def _read_op(self, op: _Op, nesting: int) -> Any:
        if not isinstance(op, _Repeat):
            return op
        return Repeat(op.count, self.read(op.body, nesting + 1), op.carried, op.scanned)


def _make_size_error(size: int) -> InvalidProgram:
    return InvalidProgram("program-too-large", f"the program has {size} bytes, more than {MAX_PROGRAM_BYTES}")
