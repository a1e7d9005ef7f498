"""A compiled model: the checked program, the matrices it names, and what its integers mean as real numbers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from inos.compiler.report import Report
from inos.primitives.matrices import DType
from inos.primitives.units import MatrixId
from inos.programs import (
    CheckedProgram,
    Cost,
    InvalidInput,
    Multiply,
    Program,
    Stored,
    check_program,
    compute_program_id,
    decode_program,
    encode_program,
    multiply,
    run_program,
)
from inos.programs.builder import BuiltProgram
from inos.work import matrix_id
from inos.work.files import compute_file_id

Weights: TypeAlias = Mapping[bytes, NDArray[Any] | bytes]
"""The matrices of the mesh that a program names: int8 arrays of dtype 1, and the bytes of files (dtype 3)."""

PROGRAM_FILE: Final = "program.bin"
MODEL_FILE: Final = "model.json"
WEIGHTS_FOLDER: Final = "weights"


class Port(Struct, frozen=True):
    """An input or output of the model as a tensor: real number = entry / 2^bits, or the entry itself without bits.

    Attributes:
        sizes: of the tensor; the program has a matrix with as many entries, row by row.
        kind: "float", "int" or "bool".
    """

    name: str
    sizes: tuple[int, ...]
    kind: str
    bits: int | None


class _Model(Struct, frozen=True):
    """What the file of a saved model holds besides program and weights."""

    version: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    report: Report


class CompiledProgram(Struct, frozen=True, eq=False):
    """An integer program made from a float model.

    Attributes:
        program: what the mesh stores, and a task names.
        checked: the same program with its types, prepared for running.
        weights: every matrix that the program names, by its id in the mesh.
        inputs, outputs: how tensors become the program's matrices, and back.
        report: what quantisation did to each layer.
    """

    program: Program
    checked: CheckedProgram
    weights: Weights
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    report: Report

    @property
    def id(self) -> MatrixId:
        """Return the program's id, which is the id of its bytes in the mesh."""
        return compute_program_id(self.program)

    @property
    def built(self) -> BuiltProgram:
        """Return the program with its weights, as a client deploys it."""
        return BuiltProgram(self.program, tuple(port.name for port in self.inputs), dict(self.weights))

    def cost(self) -> Cost:
        """Return what one run costs (tickets, units, peak memory), as everybody who checks the program finds it."""
        return check_program(self.program).cost

    def quantise_inputs(self, *inputs: ArrayLike) -> list[NDArray[Any]]:
        """Return the program's input matrices for tensors (arrays, or CPU tensors of torch) of the example's sizes.

        Floats beyond the range that the program declares are clipped to it: it is more than that of calibration.

        Raises:
            InvalidInput: "bad-count", "bad-shape", "bad-dtype", or "entry-out-of-range" for integers.
        """
        if len(inputs) != len(self.inputs):
            names = ", ".join(port.name for port in self.inputs)
            raise InvalidInput("bad-count", f"{len(inputs)} inputs are given; the model takes {names}")
        return [
            _quantise(np.asarray(each), port, type_)
            for each, port, type_ in zip(inputs, self.inputs, self.checked.given, strict=True)
        ]

    def run_integers(self, given: Sequence[Any], product: Multiply = multiply) -> list[NDArray[Any]]:
        """Run the program here and return its integer results, which are the same wherever it runs."""
        return run_program(self.checked, given, self.load_stored, product)

    def dequantise_outputs(self, results: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return integer results as tensors: float32 for floats, and int64 for integers."""
        return [_dequantise(each, port) for each, port in zip(results, self.outputs, strict=True)]

    def run(self, *inputs: ArrayLike, product: Multiply = multiply) -> Any:
        """Run the model here.

        Args:
            inputs: as `quantise_inputs` takes them.
            product: makes the products; a miner's draws tickets from them.

        Returns:
            The output as an array, or a tuple of arrays if the model has several.
        """
        outputs = self.dequantise_outputs(self.run_integers(self.quantise_inputs(*inputs), product))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def load_stored(self, stored: Stored) -> NDArray[Any] | bytes:
        """Return a matrix that the program names."""
        return self.weights[stored.id]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write program, weights and the meaning of inputs and outputs into a folder, and make it if need be."""
        path = Path(folder)
        (path / WEIGHTS_FOLDER).mkdir(parents=True, exist_ok=True)
        (path / PROGRAM_FILE).write_bytes(encode_program(self.program))
        for name, data in self.weights.items():
            place = path / WEIGHTS_FOLDER / name.hex()
            if isinstance(data, bytes):
                place.with_suffix(".bin").write_bytes(data)
            else:
                np.save(place.with_suffix(".npy"), data)
        model = _Model(1, self.inputs, self.outputs, self.report)
        (path / MODEL_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(model)))


def load_compiled(folder: str | os.PathLike[str]) -> CompiledProgram:
    """Read a saved model. The weights are compared with the ids by which the program names them.

    Raises:
        InvalidProgram, InvalidInput: a file is damaged, or a matrix is missing.
        OSError: a file cannot be read.
    """
    path = Path(folder)
    program = decode_program((path / PROGRAM_FILE).read_bytes())
    try:
        model = msgspec.json.decode((path / MODEL_FILE).read_bytes(), type=_Model)
    except msgspec.DecodeError as error:
        raise InvalidInput("malformed", f"{path / MODEL_FILE} does not describe a model: {error}") from None
    names = {each.source.id: each.source.dtype for each in program.inputs if isinstance(each.source, Stored)}
    weights = {name: _load_matrix(path / WEIGHTS_FOLDER, name, dtype) for name, dtype in names.items()}
    return CompiledProgram(program, check_program(program), weights, model.inputs, model.outputs, model.report)


def _load_matrix(folder: Path, name: bytes, dtype: DType) -> NDArray[np.int8] | bytes:
    place = folder / name.hex()
    found: NDArray[np.int8] | bytes
    try:
        if dtype is DType.INT7:
            found = np.load(place.with_suffix(".npy"), allow_pickle=False)
        else:
            found = place.with_suffix(".bin").read_bytes()
    except FileNotFoundError:
        raise InvalidInput("matrix-missing", f"{folder} lacks the matrix {name.hex()} of the program") from None
    if (compute_file_id(found) if isinstance(found, bytes) else matrix_id(found)) != name:
        raise InvalidInput("bad-matrix-id", f"the matrix in {place} is not the one that the program names")
    return found


def _quantise(array: NDArray[Any], port: Port, type_: Any) -> NDArray[Any]:
    if array.shape != port.sizes:
        raise InvalidInput("bad-shape", f"input {port.name} is {array.shape}; the model takes {port.sizes}")
    if port.bits is None:
        if array.dtype.kind not in "iub":
            raise InvalidInput("bad-dtype", f"input {port.name} holds {array.dtype}; the model takes integers")
        return array.astype(np.int64).reshape(type_.shape)
    if array.dtype.kind not in "fiu":
        raise InvalidInput("bad-dtype", f"input {port.name} holds {array.dtype}; the model takes floats")
    if not np.isfinite(array).all():
        raise InvalidInput("bad-dtype", f"input {port.name} holds infinite numbers or NaN")
    scaled = np.round(array.astype(np.float64) * 2.0**port.bits)
    clipped = np.clip(scaled, type_.lo, type_.hi)
    return clipped.astype(type_.storage).reshape(type_.shape)


def _dequantise(array: NDArray[Any], port: Port) -> NDArray[Any]:
    shaped = array.reshape(port.sizes)
    if port.bits is None:
        return shaped.astype(bool if port.kind == "bool" else np.int64)
    return (shaped / 2.0**port.bits).astype(np.float32)
