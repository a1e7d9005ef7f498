"""`inos doctor`: what is wrong with this machine or its node, and how to mend it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from inos.cli.common.output import DEFAULT_RPC, EXIT_FAILED, CommandError, JsonOption, call_rpc, print_json
from inos.cli.common.remote import NodeFile, read_node_file

if TYPE_CHECKING:
    from inos.doctor.machine import Finding


def command(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", envvar="INOS_DATA_DIR", metavar="DIR", help="The node's data directory.")
    ] = Path("~/.inos/node"),
    p2p_port: Annotated[
        int, typer.Option("--p2p-port", min=1, max=65_535, metavar="N", help="Where peers dial.")
    ] = 8646,
    rpc: Annotated[
        str | None,
        typer.Option("--rpc", envvar="INOS_RPC", metavar="URL", help="The node; by default the data directory's."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Look at the machine, and at the node where one runs; say what is wrong and how to mend it.

    Exit code 0 where nothing has to be mended, 1 where something has.
    """
    from inos.doctor import machine
    from inos.doctor.node import check_node

    folder = data_dir.expanduser()
    left = read_node_file(folder)
    url = rpc or (left.rpc if left is not None else DEFAULT_RPC)
    is_killed = rpc is None and left is not None and not left.is_running()
    found = [
        machine.check_python(),
        machine.check_clock(),
        machine.check_folder(folder),
        machine.check_disk(folder),
        machine.check_files(),
        machine.check_compiler(),
        machine.check_kernels(),
        machine.check_speed(),
    ]
    if not is_killed and _is_answering(url):  # where it was killed, somebody else may have its port by now
        found += check_node(lambda method: call_rpc(url, method))
    else:
        found.append(_explain_silence(url, folder, left))
        if left is None or not left.is_running():
            found += [
                machine.check_port("rpc port", "127.0.0.1", _read_port(url)),
                machine.check_port("p2p port", "127.0.0.1", p2p_port),
            ]
    if json_:
        print_json([msgspec.to_builtins(one) for one in found])
    else:
        for one in found:
            print(f"{one.verdict:<5} {one.name:<14} {one.detail}")
            if one.hint and one.verdict is not machine.Verdict.OK:
                print(f"{'':<21}{one.hint}")
    if any(one.verdict is machine.Verdict.FAIL for one in found):
        raise typer.Exit(EXIT_FAILED)


def _explain_silence(url: str, folder: Path, left: NodeFile | None) -> "Finding":
    from inos.doctor.machine import Finding, Verdict

    if left is None:
        return Finding("node", Verdict.NOTE, f"none answers at {url}", "start one: inos node")
    if left.is_running():
        detail = f"process {left.pid} runs the node of {folder}, and does not answer at {url}"
        return Finding("node", Verdict.FAIL, detail, f"look at its log; it said it listens at {left.rpc}")
    detail = f"process {left.pid} ran the node of {folder}, and was killed"
    return Finding("node", Verdict.NOTE, detail, f"start it again: inos node --data-dir {folder}")


def _is_answering(rpc: str) -> bool:
    try:
        answer: Any = call_rpc(rpc, "node_version")
    except CommandError:
        return False
    return isinstance(answer, dict)


def _read_port(rpc: str) -> int:
    from urllib.parse import urlsplit

    try:
        return urlsplit(rpc).port or 80
    except ValueError as error:
        raise CommandError("bad-url", f"{rpc!r} is not the address of a node: {error}") from error
