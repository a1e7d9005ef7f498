"""`inos verify`: check a receipt without a node."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from inos.cli.common.npy_files import load_matrix
from inos.cli.common.options import DEFAULT_NETWORK, JsonOption, NetworkOption
from inos.cli.common.output import EXIT_FAILED, print_json
from inos.client.receipt import check_receipt, read_receipt
from inos.genesis import load_network

MARKS: Final = {True: "ok", False: "WRONG", None: "-"}


def command(
    receipt: Annotated[Path, typer.Argument(metavar="R.json", help="What `inos job receipt` wrote.")],
    x: Annotated[Path | None, typer.Option("--x", metavar="X.npy", help="The left operand.")] = None,
    w: Annotated[Path | None, typer.Option("--w", metavar="W.npy", help="The right operand.")] = None,
    y: Annotated[Path | None, typer.Option("--y", metavar="Y.npy", help="The product.")] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    json_: JsonOption = False,
) -> None:
    """Check a receipt without a node: its proofs, the seal of its block, and the product by Freivalds' check.

    The exit code is 1 where anything is wrong. The headers on top are only a claim, since the file does not hold the
    witnesses of their seals.
    """
    found = read_receipt(receipt)
    checks = check_receipt(
        found, load_network(network), *(None if path is None else load_matrix(path) for path in (x, w, y))
    )
    is_ok = all(check.is_ok is not False for check in checks)
    if json_:
        print_json({"job": found.job, "is_ok": is_ok, "checks": msgspec.to_builtins(checks)})
    else:
        print(f"job {found.job}, soundness {found.soundness_bits} bits")
        for check in checks:
            print(f"  {MARKS[check.is_ok]:<6} {check.name:<11} {check.detail}")
        print("the receipt is valid" if is_ok else "the receipt is NOT valid")
    if not is_ok:
        raise typer.Exit(EXIT_FAILED)
