"""`inos doctor`: what is wrong with this machine or its node, and how to fix it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from inos.cli.common.options import DEFAULT_DATA_DIR, DEFAULT_RPC, DataDirOption, JsonOption
from inos.cli.common.output import EXIT_FAILED, CommandError, print_json, print_text
from inos.cli.common.remote import call_rpc
from inos.primitives.errors import InosError

if TYPE_CHECKING:
    from inos.doctor.machine import Finding
    from inos.node.process import ReadyFile


def command(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    p2p_port: Annotated[
        int, typer.Option("--p2p-port", min=1, max=65_535, metavar="N", help="The port on which peers dial the node.")
    ] = 8646,
    rpc: Annotated[
        str | None,
        typer.Option(
            "--rpc", envvar="INOS_RPC", metavar="URL", help="The node's RPC address. Default: from the data directory."
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Check this machine, and the node if one runs; say what is wrong and how to fix it.

    The exit code is 0 if nothing has to be fixed, and 1 otherwise.
    """
    from inos.doctor import machine
    from inos.doctor.node import check_node
    from inos.node.process import read_ready_file

    folder = data_dir.expanduser()
    ready = read_ready_file(folder)
    url = rpc or (ready.rpc if ready is not None else DEFAULT_RPC)
    was_killed = rpc is None and ready is not None and not ready.is_running()
    found = machine.check_machine(folder)
    if not was_killed and _is_answering(url):  # after a kill another program may have the port
        found += check_node(lambda method: call_rpc(url, method))
    else:
        found.append(_explain_silence(url, folder, ready))
        if ready is None or not ready.is_running():
            found += [
                machine.check_port("rpc port", "127.0.0.1", _read_port(url)),
                machine.check_port("p2p port", "127.0.0.1", p2p_port),
            ]
    if json_:
        print_json([msgspec.to_builtins(one) for one in found])
    else:
        for one in found:
            print_text(f"{one.verdict:<5} {one.name:<14} {one.detail}")
            if one.hint and one.verdict is not machine.Verdict.OK:
                print_text(f"{'':<21}{one.hint}")
    if any(one.verdict is machine.Verdict.FAIL for one in found):
        raise typer.Exit(EXIT_FAILED)


def _explain_silence(url: str, folder: Path, ready: "ReadyFile | None") -> "Finding":
    from inos.doctor.machine import Finding, Verdict

    if ready is None:
        return Finding("node", Verdict.NOTE, f"no node answers at {url}", "start one: inos node")
    if ready.is_running():
        detail = f"process {ready.pid} runs the node of {folder}, but does not answer at {url}"
        return Finding("node", Verdict.FAIL, detail, f"look at its log; it said that it listens at {ready.rpc}")
    detail = f"process {ready.pid} ran the node of {folder}, and was killed"
    return Finding("node", Verdict.NOTE, detail, f"start it again: inos node --data-dir {folder}")


def _is_answering(rpc: str) -> bool:
    try:
        answer: Any = call_rpc(rpc, "node_version")
    except InosError:
        return False
    return isinstance(answer, dict)


def _read_port(rpc: str) -> int:
    from urllib.parse import urlsplit

    try:
        return urlsplit(rpc).port or 80
    except ValueError as error:
        raise CommandError("bad-url", f"{rpc!r} is not the address of a node: {error}") from error
