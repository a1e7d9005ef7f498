"""`inos program deploy` and `call`: programs in the mesh, and computed by miners."""

from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.drafts import drafting
from inos.cli.common.ids import find_id
from inos.cli.common.npy_files import check_writable, load_matrix, save_matrix
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
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.programs import load_program, load_stored, read_stored
from inos.cli.common.tasks import MaxCostOption, Posted, RewardOption, agree_on_terms, print_state
from inos.cli.common.wallets import open_wallet, require_same_network
from inos.client.blocking_client import BlockingClient
from inos.client.job_watcher import ignore_state
from inos.client.tasks import DEFAULT_TASK_TIMEOUT_S
from inos.genesis import load_network
from inos.programs import Stored, check_program
from inos.programs.builder import BuiltProgram


def deploy(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The program: encoded, or in the JSON form of docs/programs.md.")
    ],
    stored: Annotated[
        list[str] | None,
        typer.Option("--stored", metavar="ID=FILE", help="A matrix that the program names: .npy, or its raw bytes."),
    ] = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Put a program, and the matrices that it names, into the mesh; print the program's id."""
    paths = load_stored(stored or ())
    program = load_program(file).checked.program
    wanted = [each.source for each in program.inputs if isinstance(each.source, Stored)]
    matrices = {source.id: read_stored(source, paths) for source in wanted if source.id in paths}
    with BlockingClient(rpc) as client:
        id_ = client.deploy(BuiltProgram(program, (), matrices))
    if json_:
        print_json({"id": id_, "matrices": [key.hex() for key in matrices]})
    else:
        print_text(f"{id_}\ncompute it: inos program call {id_} INPUT.npy -o RESULT.npy")


def call(
    program: Annotated[str, typer.Argument(metavar="ID", help="The program's id, as deploy prints it.")],
    inputs: Annotated[
        list[Path] | None, typer.Argument(metavar="[INPUT.npy]...", help="The given inputs, in order.")
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="RESULT.npy", help="Write a result; once for each result, in order."),
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
    """Let a miner run a program, and print its results or write them to files.

    What --unsigned wrote is signed and broadcast; `inos job outputs` brings the results then.
    """
    paths = [check_writable(path) for path in output or ()]
    arrays = [load_matrix(path) for path in inputs or ()]
    net = load_network(network)
    require_same_network(rpc, net)
    id_ = find_id(rpc, program, "matrix")
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    signer = opened.open_signer()
    with drafting(opened, as_json=json_), BlockingClient(rpc, wallet=signer) as client:
        checked = check_program(client.get_program(id_))
        if paths and len(paths) != len(checked.results):
            fail(
                "result-count", f"{len(paths)} files are named with -o; the program has {len(checked.results)} results"
            )
        terms = agree_on_terms(
            client, f"program {id_[:16]}", checked.cost.units, reward, max_cost, is_agreed=yes or json_
        )
        posted = Posted(is_quiet=json_)
        results = client.run(
            id_,
            arrays,
            terms=terms,
            timeout_s=timeout,
            on_posted=posted,
            on_state=ignore_state if json_ else print_state,
        )
    for path, result in zip(paths, results, strict=False):
        save_matrix(path, result)
    types = [[each.rows, each.cols, each.lo, each.hi] for each in checked.results]
    if json_:
        shown = {"files": [str(path) for path in paths]} if paths else {"results": [each.tolist() for each in results]}
        print_json(shown | {"types": types, "task": posted.id})
    elif not paths:
        for result in results:
            print_text("\n".join(" ".join(map(str, row)) for row in result.tolist()))
