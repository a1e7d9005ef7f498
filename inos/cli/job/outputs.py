"""`inos job outputs`: the outputs of a task as files."""

from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.ids import find_id
from inos.cli.common.npy_files import check_writable
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption
from inos.cli.common.output import fail, print_json, print_text
from inos.client.blocking_client import BlockingClient


def outputs(
    job: JobArgument,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write an output to this file; once for each, in order."),
    ] = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Fetch the outputs of a delivered task, each checked against its id."""
    paths = [check_writable(path) for path in output or ()]
    job = find_id(rpc, job, "job")
    with BlockingClient(rpc) as client:
        found = client.outputs(job)
        names = client.job(job).outputs or ()
    if paths and len(paths) != len(found):
        fail("result-count", f"{len(paths)} files are named with -o, and the task has {len(found)} outputs")
    for path, data in zip(paths, found, strict=False):
        path.write_bytes(data)
    if json_:
        print_json({"id": job, "outputs": list(names), "bytes": [len(data) for data in found]})
        return
    for name, data in zip(names, found, strict=True):
        print_text(f"{name}  {len(data)} bytes")
