"""`inos verify`: check a receipt, and bind its block to a checkpoint or a node that is believed."""

import contextlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from inos.cli.common.npy_files import load_matrix
from inos.cli.common.options import DEFAULT_NETWORK, JsonOption, NetworkOption
from inos.cli.common.output import EXIT_FAILED, fail, print_json, print_text
from inos.client.blocking_client import BlockingClient
from inos.client.receipt import Receipt, read_receipt
from inos.client.receipt_bounds import bind_to_checkpoint, bind_to_node
from inos.client.receipt_checks import Bound, Verdict, check_receipt
from inos.genesis import Network, load_network
from inos.node.settings import parse_checkpoint
from inos.primitives.bls import get_bls
from inos.primitives.units import BlockId

MARKS: Final = {True: "ok", False: "WRONG", None: "-"}
EXIT_UNPROVEN: Final = 3
"""Nothing is wrong with the receipt, and nothing shows that its block is on the network's chain."""


def command(
    receipt: Annotated[Path, typer.Argument(metavar="R.json", help="What `inos job receipt` wrote.")],
    x: Annotated[Path | None, typer.Option("--x", metavar="X.npy", help="The left operand.")] = None,
    w: Annotated[Path | None, typer.Option("--w", metavar="W.npy", help="The right operand.")] = None,
    y: Annotated[Path | None, typer.Option("--y", metavar="Y.npy", help="The product.")] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="HEIGHT:ID", help="A final block that you believe; no node is asked."),
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="URL", help="The RPC address of a node that you believe.")
    ] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    json_: JsonOption = False,
) -> None:
    """Check a receipt: its proofs, the block it rests on, and the product by Freivalds' check.

    Anybody can write a receipt from a chain of their own. So the payment is proven only with --checkpoint or --node:
    they show that the receipt's block is on the network's chain. The exit code is 0 if the payment is proven, 1
    if anything is wrong, and 3 if nothing is wrong and the payment is not proven.
    """
    found, chain = read_receipt(receipt), load_network(network)
    left, right, product = (None if path is None else load_matrix(path) for path in (x, w, y))
    with contextlib.ExitStack() as stack:
        bound = _make_bound(stack, chain, checkpoint, node)
        verdict = check_receipt(found, chain, left, right, product, bound)
    if json_:
        print_json(
            {
                "job": found.job,
                "is_ok": verdict.is_paid,
                "is_product_correct": verdict.is_product,
                "is_payment_proven": verdict.is_paid,
                "checks": msgspec.to_builtins(verdict.checks),
            }
        )
    else:
        _print(found, verdict)
    if not verdict.is_paid:
        raise typer.Exit(EXIT_FAILED if verdict.is_wrong else EXIT_UNPROVEN)


def _make_bound(stack: contextlib.ExitStack, chain: Network, checkpoint: str | None, node: str | None) -> Bound | None:
    if checkpoint is not None and node is not None:
        fail("bad-setting", "give either --checkpoint or --node, not both")
    if node is not None:
        return bind_to_node(stack.enter_context(BlockingClient(node)), chain)
    if checkpoint is None:
        return None
    try:
        height, block = parse_checkpoint(checkpoint)
        return bind_to_checkpoint(chain.params, height, BlockId(block), get_bls())
    except ValueError as error:
        fail("bad-setting", f"--checkpoint: {error}")


def _print(receipt: Receipt, verdict: Verdict) -> None:
    print_text(f"job {receipt.job:.64}")
    for check in verdict.checks:
        print_text(f"  {MARKS[check.is_ok]:<6} {check.name:<11} {check.detail}")
    print_text(_summarise(verdict))


def _summarise(verdict: Verdict) -> str:
    if verdict.is_wrong:
        return "the receipt is NOT valid"
    product = "product correct" if verdict.is_product else "product not checked"
    return f"{product}; {'payment proven' if verdict.is_paid else 'payment not proven'}"
