"""`inos job outputs`: the outputs of a task as files."""

from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.ids import find_id
from inos.cli.common.npy_files import check_writable, save_matrix
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption
from inos.cli.common.output import fail, print_json, print_text
from inos.client import models
from inos.client.blocking_client import BlockingClient
from inos.programs import check_program, decode_value
from inos.programs.types import Array

_DISPUTE = "ask a jury: inos job dispute ID"


def outputs(
    job: JobArgument,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write an output to this file; once for each, in order. A program's as a matrix if it ends in .npy.",
        ),
    ] = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Fetch the outputs of a delivered task, each checked against its id."""
    paths = [check_writable(path) for path in output or ()]
    job = find_id(rpc, job, "job")
    with BlockingClient(rpc) as client:
        found = client.outputs(job)
        described = client.job(job)
        names = described.outputs or ()
        matrices = _decode(client, described, found) if any(path.suffix == ".npy" for path in paths) else None
    if paths and len(paths) != len(found):
        fail("result-count", f"{len(paths)} files are named with -o, and the task has {len(found)} outputs")
    for number, path in enumerate(paths):
        if matrices is not None and path.suffix == ".npy":
            save_matrix(path, matrices[number])
        else:
            path.write_bytes(found[number])
    if json_:
        print_json({"id": job, "outputs": list(names), "bytes": [len(data) for data in found]})
        return
    for name, data in zip(names, found, strict=True):
        print_text(f"{name}  {len(data)} bytes")


def _decode(client: BlockingClient, job: models.Job, found: list[bytes]) -> list[Array] | None:
    """Return the outputs of a program as matrices, or None of a function, whose output is any file."""
    if job.task is None or job.task.kind != "program":
        return None
    results = check_program(client.get_program(job.task.spec)).results
    if len(results) != len(found):
        fail("wrong-result", f"the program has {len(results)} results, and the task {len(found)} outputs", _DISPUTE)
    pairs = enumerate(zip(found, results, strict=True))
    return [decode_value(data, type_, f"output {number}") for number, (data, type_) in pairs]
