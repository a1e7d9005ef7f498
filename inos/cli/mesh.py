"""`inos mesh`: the matrices and files that a node stores."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common.ids import SHOWN_DIGITS, find_id, shorten
from inos.cli.common.options import DEFAULT_RPC, JsonOption, NodeDirOption, RpcOption, TokenFileOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.remote import Remote, call_rpc, find_remote

app = typer.Typer(no_args_is_help=True, add_completion=False)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The matrix's id, or its first digits if it is stored.")]
UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
PAGE: Final = 1000


@app.callback()
def _mesh() -> None:
    """Show and manage the matrices and files that a node stores."""


@app.command()
def status(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show how much the store holds and may hold, and how many damaged matrices were found."""
    found = call_rpc(rpc, "mesh_status")
    if json_:
        print_json(found)
        return
    _print_status(found)


@app.command("list")
def list_matrices(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="List at most this many matrices.")
    ] = 100,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """List the matrices of the store: shape, size, demand by other nodes, and why each is kept."""
    matrices: list[dict[str, Any]] = []
    missing: list[str] = []
    after, is_first = None, True
    while (is_first or after is not None) and len(matrices) < limit:
        found = call_rpc(rpc, "mesh_list", {"limit": min(PAGE, limit - len(matrices)), "after": after})
        matrices += found["matrices"]
        missing, after, is_first = found["missing_pins"], found["next"], False
    if json_:
        print_json({"matrices": matrices, "next": after, "missing_pins": missing})
        return
    if matrices:
        print_text(f"{'MATRIX':<{SHOWN_DIGITS}}  {'SHAPE':<20}  {'BYTES':>9}  {'DEMAND':>7}  KEPT")
    for each in matrices:
        marks = [name for name in ("pinned", "needed", "own") if each[f"is_{name}"]]
        marks += [] if each["is_complete"] else ["incomplete"]
        is_file = each["dtype"] == "bytes"
        shape = f"{each['size']} bytes" if is_file else f"{each['rows']} x {each['cols']} {each['dtype']}"
        size = _describe_bytes(each["bytes"])
        print_text(f"{shorten(each['id'])}  {shape:<20}  {size:>9}  {each['demand']:7.2f}  {' '.join(marks) or '-'}")
    for id in missing:
        print_text(f"{id}  pinned, and not fetched yet")
    if after is not None:
        print_text(f"... and more; see --limit (now {limit})")
    elif not matrices and not missing:
        print_text("no matrix is stored")


@app.command()
def pin(
    matrix: IdArgument,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Keep a matrix for good; one that is not stored is fetched. Needs the node's token."""
    found = _call(find_remote(rpc, token_file, data_dir), "mesh_pin", matrix)
    if json_:
        print_json(found)
        return
    missing = "" if found["is_stored"] else "; it is not stored yet, and is fetched from other nodes"
    print_text(f"{'pinned' if found['is_changed'] else 'it was pinned already'}{missing}")


@app.command()
def unpin(
    matrix: IdArgument,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Let a matrix be evicted again if room is needed. Needs the node's token."""
    found = _call(find_remote(rpc, token_file, data_dir), "mesh_unpin", matrix)
    if json_:
        print_json(found)
        return
    print_text("unpinned" if found["is_changed"] else "it was not pinned")


@app.command()
def drop(
    matrix: IdArgument,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Delete a matrix from this node, unless it is pinned or needed. Needs the node's token."""
    found = _call(find_remote(rpc, token_file, data_dir), "mesh_drop", matrix)
    if json_:
        print_json(found)
        return
    print_text("dropped")


@app.command()
def quota(
    size: Annotated[
        str,
        typer.Argument(metavar="BYTES|default", help="Such as 20G; default is what the node was started with."),
    ],
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Change how much room matrices may take; it stays so over restarts. Needs the node's token."""
    node = find_remote(rpc, token_file, data_dir)
    found = node.call("mesh_setQuota", {"bytes": _parse_size(size)}, timeout_s=60)
    if json_:
        print_json(found)
        return
    _print_status(found)


@app.command()
def put(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .npy file with an int8 operand or int32 product, or any file.")
    ],
    as_bytes: Annotated[bool, typer.Option("--bytes", help="Store a .npy file as it is, as any other file.")] = False,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Store a matrix or a file of up to 1 GiB on the node, which then serves it by its id."""
    from inos.cli.common.npy_files import is_npy, load_bytes, load_matrix
    from inos.client.blocking_client import BlockingClient

    if is_npy(file) and not as_bytes:
        array = load_matrix(file)
        dtype = str(array.dtype)
        if dtype not in ("int8", "int32"):
            hint = "convert it to int8 or int32, or store the file as it is with --bytes"
            fail("bad-dtype", f"{file} holds {dtype}, and a matrix holds int8 or int32", hint)
        with BlockingClient(rpc) as client:
            ref = client.put_matrix(array)
    else:
        array, dtype = load_bytes(file), "bytes"
        with BlockingClient(rpc) as client:
            ref = client.put_bytes(array.data)
    if json_:
        print_json({"id": ref.id.hex(), "rows": ref.rows, "cols": ref.cols, "dtype": dtype, "size": array.nbytes})
        return
    print_text(ref.id.hex())


@app.command()
def get(
    matrix: IdArgument,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write it: a matrix as .npy, a file as it is."),
    ],
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=60, metavar="SECONDS", help="How long the node asks other nodes.")
    ] = 30,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Fetch a matrix or file by its id from the node, or through it from other nodes, and check it against the id."""
    from inos.cli.common.npy_files import check_writable, save_bytes, save_matrix
    from inos.client.blocking_client import BlockingClient
    from inos.primitives.matrices import compute_file_shape

    check_writable(out)
    whole = find_id(rpc, matrix, "matrix")
    with BlockingClient(rpc) as client:
        array = client.get_matrix(whole, wait_s=wait)
    is_file = str(array.dtype) == "uint8"
    (save_bytes if is_file else save_matrix)(out, array)
    rows, cols = compute_file_shape(array.size) if is_file else array.shape
    if json_:
        dtype = "bytes" if is_file else str(array.dtype)
        shown = {"id": whole, "rows": rows, "cols": cols, "dtype": dtype, "size": array.nbytes, "path": str(out)}
        print_json(shown)
        return
    print_text(f"{f'{array.nbytes} bytes' if is_file else f'{rows} x {cols} {array.dtype}'} written to {out}")


def _call(node: Remote, method: str, matrix: str) -> Any:
    return node.call(method, {"id": find_id(node.url, matrix, "matrix")})


def _parse_size(text: str) -> int | None:
    if text == "default":
        return None
    if not (found := re.fullmatch(r"(\d+)([KMGT]?)(i?B)?", text.strip(), re.IGNORECASE)):
        fail("bad-size", f"{text!r} is not a size", "write it as 20G, 500M or a number of bytes")
    return int(found[1]) * UNITS[found[2].upper()]


def _print_status(found: Any) -> None:
    limit = "no limit but the disk's" if found["quota"] is None else _describe_bytes(found["quota"])
    print_text(f"matrices     {found['matrices']}, and {found['incomplete']} incomplete")
    print_text(f"bytes        {_describe_bytes(found['bytes'])} of {limit}; ", end="")
    print_text(f"{_describe_bytes(found['free_bytes'])} free on the disk")
    print_text(f"kept         {found['pinned']} pinned, {found['needed']} needed by the chain")
    print_text(f"since start  {found['evicted']} evicted, {found['damaged']} found damaged, ", end="")
    print_text(f"{_describe_bytes(found['scrubbed_bytes'])} read back and checked")


def _describe_bytes(count: int) -> str:
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.4g} {unit}"
