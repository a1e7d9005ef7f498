"""The spec of a function: which module runs, with which arguments, and what it may use (docs/functions.md)."""

from typing import Annotated

from msgspec import Meta, Struct

from inos.functions.limits import (
    MAX_ARG_BYTES,
    MAX_ARGS,
    MAX_DATA_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_PAGES,
    MAX_SPEC_BYTES,
    MAX_STEPS,
    SPEC_VERSION,
    STEPS_PER_BYTE,
    STEPS_PER_UNIT,
)
from inos.primitives import codec
from inos.primitives.errors import CodecError, InosError
from inos.primitives.matrices import Hash32
from inos.primitives.units import HASH_BYTES, MatrixId

U63 = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class InvalidFunction(InosError):
    """The spec or the module is not one that any node runs, now or later."""


class FunctionSpec(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One call of a function.

    Args:
        version: `SPEC_VERSION`.
        module: the mesh id of the module's bytes.
        args: the arguments after the program's name, without their zero bytes.
        pages: the most pages of 64 KiB that the module's memory may have.
        steps: the most steps (wasmtime's fuel) that a worker's run may take.
        output_bytes: the longest stdout.
        seed: 32 bytes for `random_get`; None takes the task's id.
    """

    version: U63
    module: Hash32
    args: tuple[bytes, ...]
    pages: U63
    steps: U63
    output_bytes: U63
    seed: bytes | None

    @property
    def module_id(self) -> MatrixId:
        return MatrixId(self.module)


def encode_spec(spec: FunctionSpec) -> bytes:
    """Return the canonical bytes of a spec.

    Raises:
        InvalidFunction: the spec breaks a bound.
    """
    check_spec(spec)
    return codec.encode(spec)


def decode_spec(data: bytes) -> FunctionSpec:
    """Read a spec from its canonical bytes.

    Raises:
        InvalidFunction: "too-large", "malformed", "not-canonical", or the code of the bound it breaks.
    """
    try:
        spec = codec.decode(FunctionSpec, data, limit=MAX_SPEC_BYTES)
    except CodecError as error:
        raise InvalidFunction(error.code, f"the function's spec: {error.message}") from error
    check_spec(spec)
    return spec


def check_spec(spec: FunctionSpec) -> None:
    """Check every bound of a spec.

    Raises:
        InvalidFunction: "bad-spec-version", "bad-module-id", "too-many-args", "args-too-long", "zero-in-arg",
            "bad-pages", "bad-steps", "bad-output-bytes" or "bad-seed".
    """
    if spec.version != SPEC_VERSION:
        raise InvalidFunction(
            "bad-spec-version", f"the spec has version {spec.version}; this program runs version {SPEC_VERSION}"
        )
    if len(spec.module) != HASH_BYTES:
        raise InvalidFunction("bad-module-id", f"a module's id has {HASH_BYTES} bytes, not {len(spec.module)}")
    _check_args(spec.args)
    _check_bound("bad-pages", "pages", spec.pages, 1, MAX_PAGES)
    _check_bound("bad-steps", "steps", spec.steps, 1, MAX_STEPS)
    _check_bound("bad-output-bytes", "output bytes", spec.output_bytes, 0, MAX_OUTPUT_BYTES)
    if spec.seed is not None and len(spec.seed) != HASH_BYTES:
        raise InvalidFunction("bad-seed", f"a seed has {HASH_BYTES} bytes, not {len(spec.seed)}")


def compute_units(spec: FunctionSpec, module_bytes: int, input_bytes: int) -> int:
    """Return the units that a call is priced by: its declared steps, and the bytes that must be carried.

    Args:
        module_bytes, input_bytes: the lengths of the module and of stdin. The declared output counts in full.
    """
    carried = module_bytes + input_bytes + spec.output_bytes
    return max(1, (spec.steps + STEPS_PER_BYTE * carried) // STEPS_PER_UNIT)


def check_data(spec: FunctionSpec, module_bytes: int, input_bytes: int) -> None:
    """Check that module, input and declared output together are within the jury profile.

    Raises:
        InvalidFunction: "too-much-data".
    """
    total = module_bytes + input_bytes + spec.output_bytes
    if total > MAX_DATA_BYTES:
        raise InvalidFunction(
            "too-much-data",
            f"module ({module_bytes}), input ({input_bytes}) and declared output ({spec.output_bytes}) have "
            f"{total} bytes; at most {MAX_DATA_BYTES} are carried",
        )


def _check_args(args: tuple[bytes, ...]) -> None:
    if len(args) > MAX_ARGS:
        raise InvalidFunction("too-many-args", f"the spec has {len(args)} arguments; at most {MAX_ARGS} are allowed")
    total = sum(len(arg) + 1 for arg in args)
    if total > MAX_ARG_BYTES:
        raise InvalidFunction(
            "args-too-long", f"the arguments have {total} bytes with their ends; at most {MAX_ARG_BYTES} are allowed"
        )
    for place, arg in enumerate(args):
        if b"\0" in arg:
            raise InvalidFunction("zero-in-arg", f"argument {place} contains a zero byte, which ends an argument")


def _check_bound(code: str, name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidFunction(
            code,
            f"the spec declares {value} {name}; {least} to {most} are allowed",
            hint=f"declare at most {most} {name}",
        )
