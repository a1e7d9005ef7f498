"""Runs and records: what they hold, and their one encoding, whose id in the mesh is their id.

A run says what is computed: the program, the first genome, and the function if there is one. A record says that one
generation was computed: from which parent, with which seed, which genome came out and how fit it is. A lineage is the
chain of records of one island. A record that cites another island's record begins with that record's genome.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.evolve.errors import InvalidRecord, InvalidRun
from inos.evolve.signature import MAX_NUMBER, SEED_BYTES
from inos.functions.limits import MAX_PAGES, MAX_STEPS
from inos.primitives import codec
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Hash32
from inos.primitives.units import ADDRESS_BYTES
from inos.work.files import compute_file_id

RUN_VERSION: Final = 1
RECORD_VERSION: Final = 1
MAX_RUN_BYTES: Final = 4096
MAX_RECORD_BYTES: Final = 512
MAX_TITLE: Final = 64
MAX_FITNESS: Final = 2**62
MAX_CELLS: Final = 1024

One = Annotated[int, Meta(ge=1, le=1)]
Owner = Annotated[bytes, Meta(min_length=ADDRESS_BYTES, max_length=ADDRESS_BYTES)]
Seed = Annotated[bytes, Meta(min_length=SEED_BYTES, max_length=SEED_BYTES)]
Fitness = Annotated[int, Meta(ge=-MAX_FITNESS, le=MAX_FITNESS)]


class Trial(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How a function finds the fitness of a population.

    The function reads the population from stdin, one member a row, in the storage type of its genes. It writes two
    int64 for each member, little-endian: the fitness, and the cell of the map of elites, which is not read without one.

    Args:
        module: the id of the module's bytes.
        args, pages, steps: as in a function's spec.
        cells: of the map of elites; 0 if there is none, and then the fittest member is the next genome.
    """

    module: Hash32
    args: Annotated[tuple[Annotated[bytes, Meta(max_length=256)], ...], Meta(max_length=8)]
    pages: Annotated[int, Meta(ge=1, le=MAX_PAGES)]
    steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)]
    cells: Annotated[int, Meta(ge=0, le=MAX_CELLS)]


class Run(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What all islands of a run compute.

    Args:
        title: what the run is called.
        program: the id of the program that computes a generation or, with a trial, the one that makes its population.
        genome: the id of the genome that every lineage begins with.
        best: the fitness that nothing surpasses, where a run ends; `MAX_FITNESS` if there is none.
        trial: how the fitness is found; None if the program finds it.
    """

    version: One
    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE)]
    program: Hash32
    genome: Hash32
    best: Fitness
    trial: Trial | None


class Record(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One generation of an island.

    Args:
        run: the id of the run.
        owner: the address that posted the task; for a local island a number made from its seed.
        seed: the island's seed, the same in its whole lineage.
        number: of the generation, from 0.
        parent: the id of the record before; None for number 0.
        cited: the id of another island's record whose genome this generation begins with; None for the parent's.
        genome: the id of the genome that came out.
        fitness: of that genome.
        elites: the id of the map of elites after this generation; None without one.
        task: the id of the task on chain; None if this generation was computed by its owner.
    """

    version: One
    run: Hash32
    owner: Owner
    seed: Seed
    number: Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
    parent: Hash32 | None
    cited: Hash32 | None
    genome: Hash32
    fitness: Fitness
    elites: Hash32 | None
    task: Hash32 | None


def encode_run(run: Run) -> bytes:
    return codec.encode(run)


def decode_run(data: bytes) -> Run:
    """Read the bytes of a run.

    Raises:
        InvalidRun: "bad-run".
    """
    try:
        return codec.decode(Run, data, limit=MAX_RUN_BYTES)
    except CodecError as error:
        raise InvalidRun("bad-run", f"this is no run: {error.message}") from error


def encode_record(record: Record) -> bytes:
    return codec.encode(record)


def decode_record(data: bytes) -> Record:
    """Read the bytes of a record; the generation 0 has no parent, and every other one has.

    Raises:
        InvalidRecord: "bad-record".
    """
    try:
        record = codec.decode(Record, data, limit=MAX_RECORD_BYTES)
    except CodecError as error:
        raise InvalidRecord("bad-record", f"this is no record: {error.message}") from error
    if (record.number == 0) != (record.parent is None):
        raise InvalidRecord("bad-record", f"generation {record.number} and its parent do not fit together")
    return record


def compute_record_id(record: Record) -> bytes:
    return compute_file_id(encode_record(record))


def check_link(record: Record, parent: Record) -> None:
    """Check that a record may follow the one that it names as its parent.

    Raises:
        InvalidRecord: "bad-link".
    """
    for name in ("run", "owner", "seed"):
        if getattr(record, name) != getattr(parent, name):
            raise InvalidRecord("bad-link", f"its {name} is not that of its parent")
    if record.number != parent.number + 1:
        raise InvalidRecord("bad-link", f"generation {record.number} does not follow generation {parent.number}")


def check_citation(run: bytes, island: tuple[bytes, bytes], cited: Record) -> None:
    """Check that an island, named by owner and seed, may begin with the genome of another island's record.

    Raises:
        InvalidRecord: "bad-citation".
    """
    if run != cited.run:
        raise InvalidRecord("bad-citation", "the record that it cites belongs to another run")
    if island == (cited.owner, cited.seed):
        raise InvalidRecord("bad-citation", "the record that it cites belongs to the same island")
