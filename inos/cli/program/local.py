"""`inos program` on this machine: check, price and run programs of integer matrix operations on this machine."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common.npy_files import check_writable, save_matrix
from inos.cli.common.options import JsonOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.programs import (
    ProgramFile,
    load_given,
    load_program,
    load_stored,
    read_stored,
    require_light,
)
from inos.programs import Given, InvalidProgram, Stored, Type, compute_program_id, run_program
from inos.programs.costs import Cost
from inos.programs.types import Array

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The program: encoded, or in the JSON form of docs/programs.md.")
]
MAX_PRINTED: Final = 1 << 22
"""Entries that --json prints at most."""
MAX_SHOWN: Final = 64
"""Entries of a result that are shown to people."""


def check(file: FileArgument, json_: JsonOption = False) -> None:
    """Check a program: every node, every type. Exit code 0 only if it obeys all rules of the language."""
    read = load_program(file)
    shown = {
        "valid": True,
        "id": _find_id(read),
        "nodes": len(read.checked.program.nodes),
        "given": [_to_list(each) for each in read.checked.given],
        "stored": [each.source.id.hex() for each in read.checked.program.inputs if isinstance(each.source, Stored)],
        "types": [_to_list(each) for each in read.checked.results],
    }
    if json_:
        print_json(shown)
        return
    print_text(
        f"valid: {len(read.checked.program.nodes)} nodes, id {shown['id'] or 'none: its constants are too large'}"
    )
    given = [each for each in read.checked.program.inputs if isinstance(each.source, Given)]
    names = read.named.names if read.named is not None else [""] * len(given)
    for index, (each, name) in enumerate(zip(given, names, strict=True)):
        print_text(f"input  {index:<3} {each.type}{f'  {name}' if name else ''}")
    for index, type_ in enumerate(read.checked.results):
        print_text(f"result {index:<3} {type_}, {type_.storage}")


def cost(file: FileArgument, json_: JsonOption = False) -> None:
    """Say what a program costs, without running it: tickets, multiplications, elements, units, memory."""
    found = _list_cost(load_program(file).checked.cost)
    if json_:
        print_json(found)
        return
    for name, value in found.items():
        print_text(f"{name:<13} {value}")


def run(
    file: FileArgument,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[INPUT.npy]...", help="The given inputs in order. Default: those in a JSON FILE."),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="RESULT.npy", help="Write a result; once for each result, in order."),
    ] = None,
    stored: Annotated[
        list[str] | None,
        typer.Option("--stored", metavar="ID=FILE", help="The file of a stored input: .npy, or its raw bytes."),
    ] = None,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="Run it also if it needs more memory or units than a juror has.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Run a program and print its results, or write them to files."""
    paths = [check_writable(path) for path in output or ()]
    matrices = load_stored(stored or ())
    read = load_program(file)
    types = read.checked.results
    if paths and len(paths) != len(types):
        fail("result-count", f"{len(paths)} files are named with -o, and the program has {len(types)} results")
    if json_ and not paths and sum(each.size for each in types) > MAX_PRINTED:
        fail("result-too-large", f"the results have more than {MAX_PRINTED} entries, too many to print")
    if not unlimited:
        require_light(read)
    results = _run(read, inputs or [], matrices)
    for path, result in zip(paths, results, strict=False):
        save_matrix(path, result)
    if not json_:
        _print_results(types, results)
        return
    shown = {"files": [str(path) for path in paths]} if paths else {"results": [each.tolist() for each in results]}
    print_json(shown | {"types": [_to_list(each) for each in types], "cost": _list_cost(read.checked.cost)})


def _run(read: ProgramFile, inputs: list[Path], matrices: dict[bytes, Path]) -> list[Array]:
    try:
        return run_program(read.checked, load_given(read, inputs), lambda stored: read_stored(stored, matrices))
    except MemoryError:
        peak = -(-read.checked.cost.peak_bytes // 2**20)
        fail("out-of-memory", f"this machine lacks memory; the program needs {peak} MiB")


def _print_results(types: tuple[Type, ...], results: list[Array]) -> None:
    for index, (type_, result) in enumerate(zip(types, results, strict=True)):
        print_text(f"result {index}: {type_}, {type_.storage}")
        if type_.size <= MAX_SHOWN:
            for row in result.tolist():
                print_text(f"  {' '.join(map(str, row))}")
        else:
            print_text(f"  entries from {result.min()} to {result.max()}; -o FILE.npy writes them")


def _find_id(read: ProgramFile) -> str | None:
    try:
        return compute_program_id(read.checked.program).hex()
    except InvalidProgram:
        return None  # the JSON form has constants that the encoding has no room for


def _to_list(type_: Type) -> list[int]:
    return [type_.rows, type_.cols, type_.lo, type_.hi]


def _list_cost(found: Cost) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__}
