"""`inos evolve run` and `join`: compute generations here or by miners, and take genomes of other islands."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from inos.cli.common.npy_files import load_matrix
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_progress, print_text
from inos.cli.common.tasks import MaxCostOption, RewardOption, agree_on_terms
from inos.cli.common.wallets import open_wallet, require_same_network
from inos.cli.evolve.sources import MeshOption, NeighbourOption, SourceArgument, open_source
from inos.cli.function.local import DEFAULT_PAGES, read_module
from inos.client.blocking_client import BlockingClient
from inos.evolve.breeding import Breeding
from inos.evolve.eggroll import Settings, check_examples
from inos.evolve.evolving import Progress, evolve
from inos.evolve.exchange import FolderNeighbours, Neighbours
from inos.evolve.files import Files, FolderFiles, MemoryFiles, MeshFiles
from inos.evolve.generations import compute_units
from inos.evolve.island import (
    FILES_FOLDER,
    STATE_FILE,
    FolderPending,
    Island,
    create_island,
    lock_island,
    read_record,
    read_state,
)
from inos.evolve.market import ChainNeighbours
from inos.evolve.problems import add_constant, load_digits, write_function_run, write_network_run
from inos.evolve.records import MAX_FITNESS, Trial
from inos.evolve.replay import Replayer
from inos.evolve.runners import LocalRunner, MarketRunner, Runner
from inos.evolve.seeds import derive_local_owner, derive_seed
from inos.genesis import load_network
from inos.wallet.keys import Key
from inos.work.files import compute_file_id

FolderArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="FOLDER", help="The island's folder.")]
GenerationsOption: TypeAlias = Annotated[
    int, typer.Option("--generations", "-n", min=0, metavar="N", help="How many generations to compute now.")
]
SeedOption: TypeAlias = Annotated[
    str | None, typer.Option("--seed", metavar="TEXT", help="What a new island is drawn from. Default: a random one.")
]
MinersOption: TypeAlias = Annotated[
    bool, typer.Option("--miners", help="Pay miners for the generations. Default: compute them here.")
]
CheckOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--check-every", min=0, metavar="N", help="Of miners, compute every N-th generation here too; 0: none."
    ),
]
LookOption: TypeAlias = Annotated[
    int,
    typer.Option("--look-every", min=0, metavar="N", help="Look at other islands every N generations; 0: never."),
]
DEFAULT_LOOK: Final = 10


def run(
    folder: FolderArgument,
    generations: GenerationsOption = 100,
    seed: SeedOption = None,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="X.npy", help="Examples in -64 to 63, instead of the digits.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="Y.npy", help="Their classes, counted from 0.")
    ] = None,
    classes: Annotated[
        int, typer.Option("--classes", min=2, max=1024, metavar="N", help="Labels count to N - 1.")
    ] = 10,
    module: Annotated[
        Path | None, typer.Option("--module", metavar="FILE.wasm", help="A function that finds the fitness instead.")
    ] = None,
    genes: Annotated[int, typer.Option("--genes", min=1, metavar="N", help="Genes of a genome for --module.")] = 16,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Genes lie in -N to N.")] = 4096,
    children: Annotated[int, typer.Option("--children", min=1, metavar="N", help="Children of a generation.")] = 63,
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="N,N,...", help="Deviations of the noise, which children take in turn.")
    ] = "16,64,256,1024",
    cells: Annotated[int, typer.Option("--cells", min=0, metavar="N", help="Cells of a map of elites.")] = 0,
    best: Annotated[int, typer.Option("--best", metavar="N", help="The fitness at which the run ends.")] = MAX_FITNESS,
    steps: Annotated[int, typer.Option("--steps", min=1, metavar="N", help="Steps that a call may take.")] = 2**28,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What the run is called.")] = None,
    neighbours: NeighbourOption = None,
    look_every: LookOption = DEFAULT_LOOK,
    miners: MinersOption = False,
    check_every: CheckOption = 10,
    reward: RewardOption = None,
    max_cost: MaxCostOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: MeshOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Compute generations of an island, and go on where it was stopped. A new folder becomes a new island.

    By default it evolves a network that reads scikit-learn's digits. Its own examples come with --inputs, and any
    other fitness with --module.
    """
    rpc = _find_node(miners, rpc)
    key = _unlock(rpc if miners else None, network, wallet_dir, wallet, index, password_file)
    with lock_island(folder):
        if not (folder / STATE_FILE).exists():
            files = MemoryFiles()
            if module is not None:
                data = read_module(module)
                trial = Trial(compute_file_id(data), (), DEFAULT_PAGES, steps, cells)
                noise = _read_sizes(sizes)
                breeding = Breeding(genes=genes, top=top, children=children, sizes=noise)
                id = write_function_run(files, title or module.stem[:64], data, breeding, best=best, trial=trial)
            else:
                examples = _read_examples(inputs, labels, classes)
                id = write_network_run(
                    files, title or ("digits" if inputs is None else "examples"), examples, Settings()
                )
            _create(folder, files, id, seed, key)
        with _open(folder, key, rpc, neighbours) as (island, client):
            runner = _choose_runner(island, client, key, check_every, reward, max_cost, is_agreed=yes or json_)
            _advance(island, runner, generations, look_every, _choose_neighbours(island, client, neighbours), json_)


def join(
    source: SourceArgument,
    folder: FolderArgument,
    generations: GenerationsOption = 100,
    seed: SeedOption = None,
    neighbours: NeighbourOption = None,
    look_every: LookOption = DEFAULT_LOOK,
    miners: MinersOption = False,
    check_every: CheckOption = 10,
    reward: RewardOption = None,
    max_cost: MaxCostOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: MeshOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Make an island in FOLDER that begins with the genome of another one, and compute generations of it.

    The generation that the genome comes of is computed again before it is taken.
    """
    rpc = _find_node(miners, rpc)
    key = _unlock(rpc if miners else None, network, wallet_dir, wallet, index, password_file)
    with lock_island(folder), open_source(source, rpc, neighbours) as other:
        if other.head is None:
            fail("no-record", "the other island has computed no generation yet", "join it later")
        record = read_record(other.files, other.head)
        verdict = Replayer(other.files).check(other.head)
        if verdict.state != "right":
            fail("not-joined", f"record {other.head.hex()} is {verdict.state}: {verdict.reason}", "join another island")
        if not _is_waiting(folder, record.run):
            _create(folder, other.files, record.run, seed, key)
        with _open(folder, key, rpc, None, other.files) as (island, client):
            runner = _choose_runner(island, client, key, check_every, reward, max_cost, is_agreed=yes or json_)
            first = island.advance(runner, (other.head, record))
            if not json_:
                print_progress(str(Progress(first.number, first.fitness, f"taken from {other.head.hex()[:16]}")))
            nearby = list(neighbours or ()) + ([Path(source)] if Path(source).is_dir() else [])
            found = _choose_neighbours(island, client, nearby)
            _advance(island, runner, max(0, generations - 1), look_every, found, json_)


def _find_node(miners: bool, rpc: str | None) -> str | None:
    """Return the node to ask; one that pays miners is needed with them."""
    return os.environ.get("INOS_RPC", DEFAULT_RPC) if miners and rpc is None else rpc


def _unlock(
    rpc: str | None,
    network: str,
    wallet_dir: Path | None,
    wallet: str,
    index: int,
    password_file: Path | None,
) -> Key | None:
    """Return the key that pays miners, or None if this machine computes."""
    if rpc is None:
        return None
    net = load_network(network)
    require_same_network(rpc, net)
    return open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file).unlock()


def _is_waiting(folder: Path, run: bytes) -> bool:
    """Return True if an island of the run was made here by a join that ended before its first generation."""
    if not (folder / STATE_FILE).exists():
        return False
    state = read_state(folder)
    return state.head is None and state.run == run


def _create(folder: Path, files: Files, run: bytes, seed: str | None, key: Key | None) -> None:
    drawn = os.urandom(32) if seed is None else derive_seed(seed)
    create_island(folder, files, run, drawn, derive_local_owner(drawn) if key is None else bytes(key.address))


@contextmanager
def _open(
    folder: Path, key: Key | None, rpc: str | None, neighbours: list[Path] | None, other: Files | None = None
) -> Iterator[tuple[Island, BlockingClient | None]]:
    """Open an island. It reads files of neighbours and, if there is a node, shares its own with the mesh.

    Raises:
        CommandError: "other-owner".
    """
    with ExitStack() as stack:
        client = None if rpc is None else stack.enter_context(BlockingClient(rpc, wallet=key))
        others: list[Files] = [FolderFiles(each / FILES_FOLDER) for each in neighbours or ()]
        others += [] if other is None else [other]
        island = Island(folder, None if client is None else MeshFiles(client), others)
        if key is not None and island.state.owner != bytes(key.address):
            hint = f"begin an island of your own with its genome: inos evolve join {folder} NEW-FOLDER --miners"
            fail("other-owner", f"the island in {folder} is not this wallet's", hint)
        yield island, client


def _choose_runner(
    island: Island,
    client: BlockingClient | None,
    key: Key | None,
    check_every: int,
    reward: str | None,
    max_cost: str | None,
    *,
    is_agreed: bool,
) -> Runner:
    if key is None or client is None:
        return LocalRunner()
    units = compute_units(island.opened)
    terms = agree_on_terms(client, "each generation", units, reward, max_cost, is_agreed=is_agreed)
    island.share()
    return MarketRunner(
        client, FolderPending(island.folder), terms=terms, check_every=check_every, on_state=_print_exception
    )


def _print_exception(state: str) -> None:
    """Print what is not the ordinary course of a task."""
    if state not in ("pending", "open", "claimed", "delivered", "settled"):
        print_progress(state)


def _choose_neighbours(island: Island, client: BlockingClient | None, folders: list[Path] | None) -> list[Neighbours]:
    found: list[Neighbours] = [FolderNeighbours(folders)] if folders else []
    if client is not None:
        found.append(ChainNeighbours(client, island.files))
    return found


def _advance(
    island: Island, runner: Runner, generations: int, look_every: int, neighbours: list[Neighbours], json_: bool
) -> None:
    def tell(progress: Progress) -> None:
        if not json_:
            print_progress(str(progress))

    evolve(island, runner, generations, neighbours=neighbours, look_every=look_every, on_progress=tell)
    head = island.head
    shown: dict[str, Any] = {
        "run": island.state.run.hex(),
        "head": None if head is None else head[0].hex(),
        "generations": island.number,
        "fitness": island.fitness,
    }
    if json_:
        print_json(shown)
    else:
        print_text(f"{island.number} generations, fitness {island.fitness}, head {shown['head']}")


def _read_sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        fail("bad-settings", f"--sizes {text!r} is not a list of whole numbers", "write it as 16,64,256")


def _read_examples(inputs: Path | None, labels: Path | None, classes: int) -> Any:
    if (inputs is None) != (labels is None):
        fail("bad-examples", "--inputs and --labels belong together")
    if inputs is None or labels is None:
        return load_digits()[0]
    return check_examples(add_constant(load_matrix(inputs)), load_matrix(labels), classes)
