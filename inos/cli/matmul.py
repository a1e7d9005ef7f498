"""`inos matmul`: the product of two files of numbers of any kind, on this machine or by paid jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inos.cli.common.npy_files import check_writable, load_numbers, save_matrix
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    TimeoutOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_progress, print_text
from inos.cli.common.wallets import confirm_or_stop, open_wallet, require_same_network

if TYPE_CHECKING:
    from inos.client.costs import Plan, Status

DEFAULT_TIMEOUT_S = 600.0


def command(
    a: Annotated[
        Path,
        typer.Argument(
            metavar="A.npy",
            help="A: m x k numbers, more axes as numpy.matmul takes them; .npz with one matrix also.",
        ),
    ],
    b: Annotated[Path, typer.Argument(metavar="B.npy", help="B: k x n numbers.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="C.npy", help="The file to write A @ B to.")],
    transposed: Annotated[
        bool, typer.Option("--transposed", help="B is n x k, one row per column of the product, as in inos job post.")
    ] = False,
    accuracy: Annotated[
        float | None,
        typer.Option("--accuracy", metavar="X", help="Error allowed, relative to |A| |B|; floats only."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="ray://HEAD:10001", help="Multiply on a Ray cluster of your own machines."),
    ] = None,
    on_chain: Annotated[
        bool, typer.Option("--on-chain", help="Multiply by paid jobs; shows the price and asks first.")
    ] = False,
    reward: Annotated[
        str | None, typer.Option("--reward", metavar="CREDITS", help="The reward of each job. Default: as others paid.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="CREDITS", help="The most that all jobs together may cost.")
    ] = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Multiply numbers of any kind, as numpy.matmul does: integers exactly, floats at least as accurately.

    Without --on-chain and --engine this machine multiplies, and no node is needed.
    """
    import numpy as np

    if on_chain and engine is not None:
        fail("bad-engine", "both --on-chain and --engine are given", "leave out one of them")
    path = check_writable(output)
    left, right = load_numbers(a), load_numbers(b)
    right = _transpose(right) if transposed else right
    asked: list[Plan] = []
    began = time.monotonic()
    if not on_chain:
        from inos.client.matmul import matmul

        product = matmul(left, right, accuracy=accuracy, engine=engine)
    else:
        product = _multiply_on_chain(
            (left, right),
            {"accuracy": accuracy, "reward": reward, "max_cost": max_cost, "timeout_s": timeout},
            open_wallet(wallet_dir, wallet, _load(network), index=index, password_file=password_file),
            rpc,
            asked,
            yes=yes,
            is_quiet=json_,
        )
    save_matrix(path, np.asarray(product))
    shown = {"file": str(output), "shape": list(np.shape(product)), "dtype": str(np.asarray(product).dtype)}
    if json_:
        plan = asked[0] if asked else None
        jobs = {"jobs": plan.jobs if plan else 0, "cost": str(plan.cost if plan else 0)}
        print_json(shown | jobs | {"seconds": round(time.monotonic() - began, 3)})
        return
    shape = " x ".join(map(str, np.shape(product))) or "one number,"
    print_text(f"written to {output}: {shape} {shown['dtype']}, in {time.monotonic() - began:.1f} s")


def _transpose(right: Any) -> Any:
    """Return B with its last two axes exchanged; a vector stays as it is."""
    return right.T if right.ndim <= 2 else right.swapaxes(-1, -2)


def _load(network: str) -> Any:
    from inos.genesis import load_network

    return load_network(network)


def _multiply_on_chain(
    pair: tuple[Any, Any],
    options: dict[str, Any],
    wallet: Any,
    rpc: str,
    asked: "list[Plan]",
    *,
    yes: bool,
    is_quiet: bool,
) -> Any:
    """Show the plan and ask, then multiply by jobs; the plan is added to `asked`."""
    from inos.client.client import Client
    from inos.client.costs import count
    from inos.client.matmul import matmul

    def on_status(status: "Status") -> None:
        if not asked:
            asked.append(status.plan)
            confirm_or_stop(f"This takes {status.plan.describe()}. Pay it?", yes=yes)
        elif not is_quiet:
            print_progress(f"{status.done} of {count(status.plan.jobs, 'job')} done after {status.seconds:.0f} s")

    require_same_network(rpc, wallet.network)
    client = Client(rpc, wallet=wallet.open_signer())
    return matmul(*pair, client=client, on_status=on_status, **options)
