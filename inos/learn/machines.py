"""A machine is a program of a run, read from its folder and checked; a runner runs it, here or by miners."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from inos.learn.errors import LearnError
from inos.learn.folder import Folder
from inos.programs import (
    CheckedProgram,
    Cost,
    Prepared,
    Stored,
    bind_inputs,
    check_program,
    decode_program,
    encode_program,
    encode_value,
    prepare_program,
)
from inos.programs.builder import BuiltProgram
from inos.programs.limits import PROFILE_PEAK_BYTES, PROFILE_UNITS


class Machine(Struct, frozen=True, eq=False):
    """Runs a program of a run any number of times."""

    id: str
    checked: CheckedProgram
    prepared: Prepared
    encoded: bytes
    files: dict[str, bytes]
    """What the program names, read once."""

    def run(self, inputs: Sequence[bytes]) -> list[bytes]:
        """Run the program here: from files to files."""
        bound = bind_inputs(self.checked, inputs, lambda stored: self.files[stored.id.hex()])
        results = self.prepared.run(bound)
        return [encode_value(each, type_) for each, type_ in zip(results, self.checked.results, strict=True)]


class Call(Struct, frozen=True, eq=False):
    """Names a program and its inputs; `step` and `part` say for people what it is of a run."""

    machine: Machine
    inputs: tuple[bytes, ...]
    step: int
    part: int


class Runner(Protocol):
    """Runs calls that do not depend on each other, and says if an outcome was rejected later."""

    def run(self, calls: Sequence[Call]) -> list[list[bytes]]: ...

    def find_rejected(self) -> int | None: ...

    def settle(self) -> int | None: ...


class LocalRunner:
    """Runs calls on this machine, one after the other."""

    def run(self, calls: Sequence[Call]) -> list[list[bytes]]:
        return [call.machine.run(call.inputs) for call in calls]

    def find_rejected(self) -> int | None:
        """Return None: what this machine computed stands."""
        return None

    def settle(self) -> int | None:
        """Return None at once."""
        return None


def store_program(folder: Folder, built: BuiltProgram) -> str:
    """Put a program and the files that it names into a run's folder; return its id in hex.

    Raises:
        LearnError: "step-too-large": no juror could judge it.
    """
    _require_small(check_program(built.program).cost)
    for data in built.matrices.values():
        assert isinstance(data, bytes), "training keeps nothing of type int7 in the mesh"
        folder.put(data)
    return folder.put(encode_program(built.program))


def _require_small(cost: Cost) -> None:
    if cost.units > PROFILE_UNITS or cost.peak_bytes > PROFILE_PEAK_BYTES:
        raise LearnError(
            "step-too-large",
            f"a task of this run has {cost.units} units and needs {cost.peak_bytes} bytes at once; jurors compute "
            f"up to {PROFILE_UNITS} units with {PROFILE_PEAK_BYTES} bytes",
            hint="take more shards, or smaller batches",
        )


def load_machine(folder: Folder, name: str) -> Machine:
    """Read a program of a run.

    Raises:
        LearnError: "file-missing", "file-changed", "step-too-large". InvalidProgram: it is none.
    """
    encoded = folder.get(name)
    checked = check_program(decode_program(encoded))
    _require_small(checked.cost)
    sources = [each.source for each in checked.program.inputs]
    files = {each.id.hex(): folder.get(each.id.hex()) for each in sources if isinstance(each, Stored)}
    return Machine(name, checked, prepare_program(checked), encoded, files)
