"""`inos work`: mine, verify and inspect matrices on this machine, without a node."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from inos import work
from inos.cli.common.certificates import read_certificate, to_json, write_certificate
from inos.cli.common.npy_files import load_matrix, save_matrix
from inos.cli.common.options import BackendOption, JsonOption, ThreadsOption
from inos.cli.common.output import fail, print_json, print_progress, print_text
from inos.primitives.units import HASH_BYTES
from inos.work import InvalidMatrix, Operand

app = typer.Typer(no_args_is_help=True, add_completion=False)

XArgument = Annotated[Path, typer.Argument(metavar="X.npy", help="Operand X: m x k integers in -64 .. 63.")]
WArgument = Annotated[Path, typer.Argument(metavar="W.npy", help="Operand W: n x k integers in -64 .. 63.")]
AnchorOption = Annotated[
    str, typer.Option("--anchor", metavar="HEX", help="The anchor that the noise is derived from, 32 bytes.")
]
TargetOption = Annotated[
    str, typer.Option("--target", metavar="HEX", help="The target: the largest digest that wins, 32 bytes.")
]


@app.callback()
def _work() -> None:
    """Mine, verify and inspect matrices on this machine, without a node."""


@app.command()
def tickets(
    x: XArgument,
    w: WArgument,
    anchor: AnchorOption,
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json_: JsonOption = False,
) -> None:
    """Multiply X by W transposed and summarise its tickets: ids, seeds, best digest, XOR of all digests."""
    seed = _parse_hex("anchor", anchor)
    summary = work.compute_summary(_load(x), _load(w), seed, backend=backend, threads=threads)
    shown = {name: _to_plain(getattr(summary, name)) for name in summary.__struct_fields__}
    if json_:
        print_json(shown)
        return
    for name, value in shown.items():
        print_text(f"{name:<12} {tuple(value) if isinstance(value, list) else value}")


@app.command()
def mine(
    x: XArgument,
    w: WArgument,
    anchor: AnchorOption,
    target: TargetOption,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The certificate to write; JSON if it ends in .json."),
    ] = None,
    product: Annotated[
        Path | None, typer.Option("--product", metavar="Y.npy", help="The file to write the exact int32 product to.")
    ] = None,
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json_: JsonOption = False,
) -> None:
    """Multiply X by W transposed and keep the best ticket that meets the target, as a certificate."""
    seed, limit = _parse_hex("anchor", anchor), int.from_bytes(_parse_hex("target", target), "big")
    mined = work.mine(_load(x), _load(w), seed, limit, backend=backend, threads=threads)
    if product is not None and mined.product is not None:
        save_matrix(product, mined.product)
    if not mined.wins:
        fail("no-win", f"none of {mined.tickets} tickets met the target", "choose another anchor, or a larger target")
    best = min(mined.wins, key=lambda win: win.seal.digest)
    if output is not None:
        write_certificate(output, best)
    if json_:
        print_json({"tickets": mined.tickets, "wins": len(mined.wins), **to_json(best)})
        return
    seal = best.seal
    ticket = f"({seal.i}, {seal.j}, {seal.p})"
    print_text(
        f"{len(mined.wins)} of {mined.tickets} tickets won; the best is {ticket} with digest {seal.digest.hex()}"
    )
    if output is not None:
        print_text(f"certificate: {output}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate, JSON or msgpack.")],
    anchor: AnchorOption,
    target: TargetOption,
    json_: JsonOption = False,
) -> None:
    """Check a certificate: exit code 0 only if its ticket was drawn under the anchor and meets the target."""
    seed, limit = _parse_hex("anchor", anchor), int.from_bytes(_parse_hex("target", target), "big")
    win = read_certificate(file)
    work.verify(win.seal, win.witness, seed, limit)
    seal = win.seal
    if json_:
        print_json({"valid": True, "ticket": [seal.i, seal.j, seal.p], "digest": seal.digest.hex()})
    else:
        print_text(f"valid: ticket ({seal.i}, {seal.j}, {seal.p}) with digest {seal.digest.hex()}")


@app.command()
def backends(json_: JsonOption = False) -> None:
    """List what multiplies, graphics cards and the kernels of processors, and why one cannot be used here."""
    infos = work.list_backends()
    if json_:
        found = ({"name": i.name, "available": i.is_available, "reason": i.reason, "device": i.device} for i in infos)
        print_json(list(found))
        return
    for info in infos:
        device = f": {info.device}" if info.device else ""
        print_text(f"{info.name:<10} {f'available{device}' if info.is_available else f'not available: {info.reason}'}")


def _load(path: Path) -> Operand:
    """Read and commit an operand; integers wider than int8 are accepted if every entry fits."""
    array = load_matrix(path)
    if array.dtype.kind not in "iu":
        fail(
            "bad-dtype",
            f"{path} holds {array.dtype}, an operand is int8",
            "operands are integers in -64 to 63; inos matmul multiplies all numbers",
        )
    try:
        if array.dtype != np.int8:
            array = _narrow(path, array)
        return Operand.commit(array)
    except InvalidMatrix as error:
        fail(error.code, f"{path}: {error.message}", error.hint)


def _narrow(path: Path, array: Any) -> Any:
    wrong = (array < -64) | (array > 63)
    if wrong.any():
        index = tuple(int(at) for at in np.argwhere(wrong)[0])
        where = f"row {index[0]}, column {index[1]}" if len(index) == 2 else f"index {index}"
        fail("entry-out-of-range", f"{path}: the entry at {where} is {array[index]}; entries are -64 to 63")
    print_progress(f"note: {path} is {array.dtype}; its entries fit and are read as int8")
    return array.astype(np.int8)


def _parse_hex(name: str, text: str) -> bytes:
    digits = text.strip().removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        fail(f"bad-{name}", f"--{name} {text!r} is not hex", f"give {2 * HASH_BYTES} hex digits")
    if len(value) != HASH_BYTES:
        fail(f"bad-{name}", f"--{name} has {len(value)} bytes, not {HASH_BYTES}", f"give {2 * HASH_BYTES} hex digits")
    return value


def _to_plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value
