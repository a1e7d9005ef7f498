"""The JSON form of a program, which the vectors use: names in place of numbers, and inputs beside it.

    {"program": {"inputs": [{"name", "rows", "cols", "lo", "hi", "source"}],
                 "nodes": [{"op", "operands", "attrs"}], "outputs": [...]},
     "given": {name: [[...], ...]}}

The program may also be the file itself, with `given` beside its inputs. A source is ["customer"], ["inline", hex] or
["stored", id, dtype]. Inline constants may be larger than those of the encoding. The attributes of an operation are
those of its encoding, in order; REPEAT's are [count, body, carried, scanned] with the body in this form.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct

from inos.programs.errors import InvalidInput, InvalidProgram
from inos.programs.limits import MAX_INPUTS, MAX_NESTING, MAX_NODES
from inos.programs.ops import SimpleOp
from inos.programs.structure import OP_NAMES, Given, Inline, Input, Node, Op, Program, Repeat, Source, Stored
from inos.programs.types import Array, Type

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""Larger matrices are given as files of their own."""


_Int = Annotated[int, Meta(ge=1 - 2**63, le=2**63 - 1)]
"""Messages print these, so that they have few digits."""


class _Input(Struct, forbid_unknown_fields=True):
    name: str
    rows: _Int
    cols: _Int
    lo: _Int
    hi: _Int
    source: list[str | _Int]


class _Node(Struct, forbid_unknown_fields=True):
    op: str
    operands: tuple[_Int, ...]
    attrs: Raw


class _Program(Struct, forbid_unknown_fields=True):
    inputs: list[_Input]
    nodes: list[_Node]
    outputs: tuple[_Int, ...]


class _File(Struct):
    program: Raw | msgspec.UnsetType = msgspec.UNSET
    given: Raw | msgspec.UnsetType = msgspec.UNSET


class _BareProgram(_Program, forbid_unknown_fields=False):
    """A program that is the file itself, with what a file has beside it."""


class NamedProgram(Struct, frozen=True):
    """A program read from JSON.

    Attributes:
        names: of the given inputs, in order.
        given: their entries as JSON, or None if the file has none. `read_given` reads them.
    """

    program: Program
    names: tuple[str, ...]
    given: bytes | None


_TAGS: Final[dict[str, Any]] = {name: kind.__struct_config__.tag for kind, name in OP_NAMES.items()}
_NAMES: Final = ", ".join(OP_NAMES.values())
_Attributes: TypeAlias = list[_Int | list[list[_Int]]]


def read_json(data: bytes) -> NamedProgram:
    """Read a program in the JSON form, with or without its inputs.

    Raises:
        InvalidProgram: "program-too-large", "malformed-program", "unknown-op", "too-many", "bad-attribute",
            "bad-source", "duplicate-name".
    """
    if len(data) > MAX_FILE_BYTES:
        raise InvalidProgram("program-too-large", f"the file has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    file = _decode(data, _File, "the file")
    reader = _Reader()
    if isinstance(file.program, msgspec.UnsetType):
        program = reader.read(data, 0, _BareProgram)
    else:
        program = reader.read(file.program, 0)
    if len(set(reader.names)) != len(reader.names):
        raise InvalidProgram("duplicate-name", "two given inputs have the same name")
    given = None if isinstance(file.given, msgspec.UnsetType) else bytes(file.given)
    return NamedProgram(program, tuple(reader.names), given)


def read_given(named: NamedProgram, types: Sequence[Type]) -> list[Array]:
    """Return the matrices of the given inputs, in the program's order; their entries are not compared with the types.

    Raises:
        InvalidInput: "malformed-input", "input-missing", "input-unknown", "input-shape".
    """
    try:
        found = msgspec.json.decode(named.given or b"{}", type=dict[str, list[list[_Int]]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("malformed-input", f"given does not hold matrices of integers by name: {error}") from None
    unknown = set(found) - set(named.names)
    if unknown:
        raise InvalidInput("input-unknown", f"the program has no input {min(unknown)!r:.80}")
    return [_read_matrix(name, found, type_) for name, type_ in zip(named.names, types, strict=True)]


def _read_matrix(name: str, found: dict[str, list[list[int]]], type_: Type) -> Array:
    rows = found.get(name)
    if rows is None:
        raise InvalidInput("input-missing", f"given holds no input {name!r:.80}", hint=f"it is a matrix {type_}")
    if len(rows) != type_.rows or any(len(row) != type_.cols for row in rows):
        raise InvalidInput("input-shape", f"input {name!r:.80} is not {type_.rows} rows of {type_.cols} entries")
    return np.array(rows, dtype=np.int64)


class _Reader:
    """Reads a program and the bodies in it, and collects the names of its given inputs."""

    def __init__(self) -> None:
        self._nodes = 0
        self.names: list[str] = []

    def read(self, data: bytes | Raw, nesting: int, kind: type[_Program] = _Program) -> Program:
        if nesting > MAX_NESTING:
            raise InvalidProgram("too-many", f"loops are nested deeper than {MAX_NESTING}")
        found = _decode(data, kind, "a loop's body" if nesting else "program")
        self._nodes += len(found.nodes)
        if len(found.inputs) > MAX_INPUTS or self._nodes > MAX_NODES:
            raise InvalidProgram("too-many", f"the program has over {MAX_INPUTS} inputs or {MAX_NODES} nodes")
        inputs = []
        for index, each in enumerate(found.inputs):
            source = _read_source(each.source, index)
            inputs.append(Input(Type(each.rows, each.cols, each.lo, each.hi), source))
            if isinstance(source, Given) and not nesting:
                self.names.append(each.name)
        nodes = [Node(self._read_op(each, index, nesting), each.operands) for index, each in enumerate(found.nodes)]
        return Program(tuple(inputs), tuple(nodes), found.outputs)

    def _read_op(self, node: _Node, index: int, nesting: int) -> Op:
        tag = _TAGS.get(node.op)
        where = f"node {index} ({node.op:.40})"
        if tag is None:
            raise InvalidProgram("unknown-op", f"{where}: there is no such operation", hint=f"there are: {_NAMES}")
        if node.op == OP_NAMES[Repeat]:
            count, body, carried, scanned = _decode(node.attrs, tuple[_Int, Raw, _Int, _Int], where, "bad-attribute")
            return Repeat(count, self.read(body, nesting + 1), carried, scanned)
        attributes = _decode(node.attrs, _Attributes, where, "bad-attribute")
        try:
            op: SimpleOp = msgspec.convert([tag, *attributes], type=SimpleOp)
        except msgspec.ValidationError as error:
            raise InvalidProgram("bad-attribute", f"{where}: its attributes do not fit: {error}") from None
        return op


def _read_source(source: list[str | int], index: int) -> Source:
    try:
        match source:
            case ["customer"]:
                return Given()
            case ["inline", str(data)]:
                return Inline(bytes.fromhex(data))
            case ["stored", str(id_), int(dtype)]:
                return msgspec.convert([1, bytes.fromhex(id_), dtype], type=Stored, builtin_types=(bytes,))
            case _:
                raise InvalidProgram(
                    "bad-source",
                    f"input {index}: its source is none that there is",
                    hint='write ["customer"], ["inline", HEX] or ["stored", ID, 1 or 3]',
                )
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidProgram("bad-source", f"input {index}: its source cannot be read: {error}") from None


def _decode(data: bytes | Raw, kind: Any, name: str, code: str = "malformed-program") -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidProgram(code, f"{name} cannot be read: {error}") from None
