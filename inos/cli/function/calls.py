"""`inos function deploy` and `call`: modules in the mesh, and commands run by miners."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.drafts import drafting
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
    UnsignedOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import print_json, print_text
from inos.cli.common.tasks import MaxCostOption, Posted, RewardOption, agree_on_terms, print_state
from inos.cli.common.wallets import open_wallet, require_same_network
from inos.cli.function.local import (
    DEFAULT_OUTPUT_BYTES,
    DEFAULT_PAGES,
    ModuleArgument,
    OutputOption,
    PagesOption,
    StepsOption,
    make_spec,
    read_input,
    read_module,
)
from inos.client.blocking_client import BlockingClient
from inos.client.job_watcher import ignore_state
from inos.client.tasks import DEFAULT_STEPS, DEFAULT_TASK_TIMEOUT_S
from inos.functions import compute_units, inspect_module
from inos.genesis import load_network


def deploy(module: ModuleArgument, rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Put a module into the mesh, so that miners have it before it is called; print its id."""
    data = read_module(module)
    inspect_module(data)
    with BlockingClient(rpc) as client:
        id_ = client.put_bytes(data).id.hex()
    if json_:
        print_json({"id": id_, "bytes": len(data)})
    else:
        print_text(id_)


def call(
    module: ModuleArgument,
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="The module's arguments; behind a -- if they begin with dashes."),
    ] = None,
    pages: PagesOption = DEFAULT_PAGES,
    steps: StepsOption = DEFAULT_STEPS,
    output_bytes: OutputOption = DEFAULT_OUTPUT_BYTES,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the answer there, not to stdout.")
    ] = None,
    reward: RewardOption = None,
    max_cost: MaxCostOption = None,
    timeout: TimeoutOption = DEFAULT_TASK_TIMEOUT_S,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Let a miner run a module: stdin is its input, stdout its answer. With questions to answer, use --yes.

    What --unsigned wrote is signed and broadcast; `inos job outputs` brings the answer then.
    """
    data, given = read_module(module), tuple(args or ())
    stdin = read_input()
    spec = make_spec(data, tuple(arg.encode("utf-8", "surrogateescape") for arg in given), pages, steps, output_bytes)
    net = load_network(network)
    require_same_network(rpc, net)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    signer = opened.open_signer()
    with drafting(opened, as_json=json_), BlockingClient(rpc, wallet=signer) as client:
        units = compute_units(spec, len(data), len(stdin))
        terms = agree_on_terms(client, module.name, units, reward, max_cost, is_agreed=yes or json_)
        posted = Posted(is_quiet=json_)
        answer = client.call_function(
            data,
            stdin,
            args=given,
            pages=pages,
            steps=steps,
            output_bytes=output_bytes,
            terms=terms,
            timeout_s=timeout,
            on_posted=posted,
            on_state=ignore_state if json_ else print_state,
        )
    if output is not None:
        output.expanduser().write_bytes(answer)
    if json_:
        print_json(
            {
                "file": None if output is None else str(output),
                "stdout": None if output else answer.hex(),
                "task": posted.id,
            }
        )
    elif output is None:
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
