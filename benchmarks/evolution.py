"""Measures `inos.evolve`: how well the digits are read after 300 generations, how long a generation takes, and what
one costs and takes on a chain.

    python benchmarks/evolution.py                                    # on this machine, three islands
    python benchmarks/evolution.py --rpc URL --phrase-file FILE -n 10   # by the miners of a running devnet

The accuracy is that on images which the run never sees. Prints the machine's load too, since other processes count.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.evolve import FolderPending, Island, LocalRunner, MarketRunner, Settings, create_island, evolve
from inos.evolve.eggroll import Examples
from inos.evolve.files import MemoryFiles, MeshFiles
from inos.evolve.generations import compute_units
from inos.evolve.problems import classify, load_digits, write_network_run
from inos.evolve.seeds import derive_local_owner, derive_seed
from inos.primitives.units import format_credits
from inos.programs import decode_value
from inos.wallet.keys import derive_key


def make_island(folder: Path, name: str, settings: Settings, examples: Examples, owner: bytes | None = None) -> Path:
    files, seed = MemoryFiles(), derive_seed(name)
    run = write_network_run(files, "digits", examples, settings)
    create_island(folder, files, run, seed, owner or derive_local_owner(seed))
    return folder


def measure_here(folder: Path, generations: int, islands: int, settings: Settings) -> None:
    """Print what each island reached, and the processor's and the clock's seconds for a generation."""
    examples, held_out = load_digits()
    for name in map(str, range(1, islands + 1)):
        island = Island(make_island(folder / name, name, settings, examples))
        began, used = time.monotonic(), time.process_time()
        evolve(island, LocalRunner(), generations)
        took, used = time.monotonic() - began, time.process_time() - used
        assert island.head is not None
        data = island.own.get(island.head[1].genome, island.opened.genome.nbytes, "the genome")
        found = classify(decode_value(data, island.opened.genome), held_out.inputs, held_out.classes, settings)
        right = int((found == held_out.labels[:, 0]).sum())
        print(
            f"island {name}: {island.number} generations, {island.fitness} of {examples.count} right, "
            f"{right} of {held_out.count} held out ({right / held_out.count:.1%}); a generation takes "
            f"{took / island.number:.3f} s, {used / island.number:.3f} s of processors",
            flush=True,
        )


def measure_market(folder: Path, generations: int, rpc: str, phrase: str, settings: Settings) -> None:
    """Print what a generation costs by miners, how long it takes, and whether its bits are those of this machine."""
    examples, _ = load_digits()
    key = derive_key(phrase)
    with BlockingClient(rpc, wallet=key) as client:
        make_island(folder / "paid", "1", settings, examples, bytes(key.address))
        island = Island(folder / "paid", MeshFiles(client))
        island.share()
        units = compute_units(island.opened)
        quote = client.quote_task(units)
        price = format_credits(quote.suggested_reward)
        print(f"{units} units: {price} credits for the miner, {format_credits(quote.burn)} burned")
        runner = MarketRunner(
            client, FolderPending(island.folder), terms=TaskTerms(may_wait_for_jury=True), check_every=0
        )
        times = []
        for _ in range(generations):
            began = time.monotonic()
            island.advance(runner)
            times.append(time.monotonic() - began)
        blocks = client.head().height
    local = Island(make_island(folder / "local", "1", settings, examples))
    evolve(local, LocalRunner(), generations)
    assert island.head is not None
    assert local.head is not None
    is_same = (island.head[1].genome, island.fitness) == (local.head[1].genome, local.fitness)
    print(
        f"{generations} generations by miners: {statistics.median(times):.1f} s each (median), "
        f"{min(times):.1f} to {max(times):.1f} s; the chain is at {blocks}; the same bits as here: {is_same}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--generations", type=int, default=300)
    parser.add_argument("--islands", type=int, default=3)
    parser.add_argument("--rpc")
    parser.add_argument("--phrase-file", type=Path)
    args = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        if args.rpc is None:
            measure_here(Path(folder), args.generations, args.islands, Settings())
        else:
            measure_market(Path(folder), args.generations, args.rpc, args.phrase_file.read_text().strip(), Settings())


if __name__ == "__main__":
    main()
