"""A run that is ready to compute: its program is fetched, checked and prepared, and so is its function."""

from typing import Any

from msgspec import Struct

from inos.evolve.errors import InvalidRun
from inos.evolve.files import MAX_FILE_BYTES, Files
from inos.evolve.records import MAX_FITNESS, MAX_RUN_BYTES, RUN_VERSION, Run, Trial, decode_run, encode_run
from inos.evolve.signature import check_breeding, check_generation
from inos.functions.limits import MAX_MODULE_BYTES
from inos.primitives.matrices import DType
from inos.programs import CheckedProgram, Stored, Type, check_program, decode_program, encode_program, encode_value
from inos.programs.builder import BuiltProgram
from inos.programs.limits import MAX_PROGRAM_BYTES, PROFILE_PEAK_BYTES, PROFILE_UNITS
from inos.programs.types import Array
from inos.programs.values import check_value


class OpenRun(Struct, frozen=True, eq=False):
    """A run with all that a generation needs beside a genome.

    Attributes:
        id: the run's.
        stored: the bytes of the files that the program names, by their id.
        module: of the trial; b"" without one.
        first: the bytes of the genome that every lineage begins with.
    """

    id: bytes
    run: Run
    checked: CheckedProgram
    genome: Type
    stored: dict[bytes, bytes]
    module: bytes
    first: bytes

    def load(self, stored: Stored) -> bytes:
        """Return the data of a stored input, as `run_program` asks for it."""
        return self.stored[stored.id]


def write_run(
    files: Files, title: str, built: BuiltProgram, genome: Array, *, best: int = MAX_FITNESS, trial: Trial | None = None
) -> bytes:
    """Keep a run with its program, data and first genome; return its id. The trial's module is there already.

    Raises:
        InvalidRun, InvalidProgram: nobody could compute it.
    """
    checked = check_program(built.program)
    type_ = check_generation(checked) if trial is None else check_breeding(checked)
    for data in built.matrices.values():
        if not isinstance(data, bytes):
            raise InvalidRun("stored-matrix", "the program keeps a matrix as an operand; write it with constant()")
        files.put(data)
    program = files.put(encode_program(built.program))
    first = files.put(encode_value(_check_first(genome, type_), type_))
    run = files.put(encode_run(Run(RUN_VERSION, title, program, first, best, trial)))
    open_run(files, run)
    return run


def open_run(files: Files, id: bytes) -> OpenRun:
    """Fetch and check a run.

    Raises:
        Missing: a file is not at hand. InvalidRun, InvalidRecord, InvalidProgram: nobody can compute it.
    """
    run = decode_run(files.get(id, MAX_RUN_BYTES, "the run"))
    checked = check_program(decode_program(files.get(run.program, MAX_PROGRAM_BYTES, "the program")))
    type_ = check_generation(checked) if run.trial is None else check_breeding(checked)
    if checked.cost.units > PROFILE_UNITS or checked.cost.peak_bytes > PROFILE_PEAK_BYTES:
        raise InvalidRun("task-too-large", f"a generation has {checked.cost.units} units, more than a juror computes")
    stored: dict[bytes, bytes] = {}
    for each in checked.program.inputs:
        if isinstance(each.source, Stored):
            if each.source.dtype is not DType.BYTES or each.type.nbytes > MAX_FILE_BYTES:
                raise InvalidRun("stored-matrix", "the program names data that is no file of at most 64 MiB")
            stored[each.source.id] = files.get(each.source.id, each.type.nbytes, "a file of data")
    module = b"" if run.trial is None else files.get(run.trial.module, MAX_MODULE_BYTES, "the function's module")
    first = files.get(run.genome, type_.nbytes, "the first genome")
    return OpenRun(id, run, checked, type_, stored, module, first)


def list_files(opened: OpenRun) -> list[bytes]:
    """Return the contents of all files that a run consists of, which a miner or another island needs."""
    program = encode_program(opened.checked.program)
    module = [opened.module] if opened.module else []
    return [*opened.stored.values(), *module, program, opened.first, encode_run(opened.run)]


def _check_first(genome: Any, type_: Type) -> Array:
    return check_value(genome, type_, "the first genome")
