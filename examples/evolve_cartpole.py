"""Evolve a controller that balances a pole on a cart, and watch how it learns, in the terminal.

    python examples/evolve_cartpole.py                        # on this machine; needs the extra `functions`
    python examples/evolve_cartpole.py --generations 40 --seed two --no-watch

The simulation is a function, `examples/functions/cartpole.wasm`, in integers: every run finds the same fitness.
Each generation is one call of it, for the best controller so far and its children. Afterwards the best controllers of
some generations are shown at work. The island stays in the folder `pole`, or in `--folder`: `inos evolve show pole`
draws its fitness, and `inos evolve replay pole` computes it again.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

import inos
from inos.evolve import Island, LocalRunner, Trial, create_island, evolve, read_lineage
from inos.evolve.breeding import Breeding
from inos.evolve.files import MemoryFiles
from inos.evolve.problems import write_function_run
from inos.evolve.seeds import derive_local_owner, derive_seed
from inos.functions import Delivered, FunctionSpec, ModuleCache, Role, run
from inos.functions.limits import SPEC_VERSION
from inos.work.files import compute_file_id

MODULE: Final = Path(__file__).parent / "functions" / "cartpole.wasm"
BREEDING: Final = Breeding(genes=24, top=32_768, children=31, sizes=(64, 256, 1024))
PAGES, STEPS, ONE = 1024, 2**28, 4096
WIDTH, HEIGHT = 61, 9
TRACK: Final = 2.4
"""The cart may be so many metres from the middle."""
TICK_S: Final = 0.02
FRAME_TICKS: Final = 3


def make_island(folder: Path, seed: str) -> Island:
    """Open the island in a folder, or make one."""
    if not (folder / "island.json").exists():
        files, module, drawn = MemoryFiles(), MODULE.read_bytes(), derive_seed(seed)
        trial = Trial(compute_file_id(module), (), PAGES, STEPS, 0)
        create_island(
            folder, files, write_function_run(files, "cartpole", module, BREEDING, trial=trial), drawn,
            derive_local_owner(drawn),
        )  # fmt: skip
    return Island(folder)


def trace(genome: bytes) -> list[tuple[float, float]]:
    """Return the cart's metres from the middle and the pole's angle in radians, tick by tick of the first start."""
    module = MODULE.read_bytes()
    spec = FunctionSpec(SPEC_VERSION, compute_file_id(module), (b"trace",), PAGES, STEPS, 2**16, bytes(32))
    cache = ModuleCache(Path("~/.inos/functions").expanduser())
    outcome = run(spec, module, genome, role=Role.WORKER, seed=bytes(32), cache=cache)
    if not isinstance(outcome, Delivered):
        sys.exit(f"error: the simulation ends without an outcome: {outcome.detail}")
    lines = [line.split() for line in outcome.stdout.decode().splitlines()]
    return [(int(x) / ONE, int(angle) / ONE) for x, angle in lines]


def draw(x: float, angle: float) -> list[str]:
    """Return the lines of one picture: the pole, the cart, the track. The pole leans three times as far as it does."""
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    cart = round((x / TRACK + 1) / 2 * (WIDTH - 1))
    for n in range(HEIGHT - 1):
        column = cart + round(6 * angle * (n + 1))
        if 0 <= column < WIDTH:
            rows[HEIGHT - 2 - n][column] = "|" if abs(angle) < 0.02 else "/" if angle > 0 else "\\"
    for column in range(max(0, cart - 3), min(WIDTH, cart + 4)):
        rows[HEIGHT - 1][column] = "█"
    return ["".join(row) for row in rows] + ["═" * WIDTH]


def watch(island: Island, shown: int = 4) -> None:
    """Show the best controllers of some generations, from the first to the last."""
    assert island.head is not None
    records = list(read_lineage(island.own, [island.head[0]]).records.values())
    is_terminal = sys.stdout.isatty()
    for n in range(shown):
        record = records[round(n * (len(records) - 1) / max(1, shown - 1))]
        path = trace(island.own.get(record.genome, island.opened.genome.nbytes, "the genome"))
        title = f"generation {record.number}: fitness {record.fitness}, stands for {len(path) * TICK_S:.1f} s"
        if not is_terminal:
            print("\n".join([title, *draw(*path[-1])]))
            continue
        for tick in range(0, len(path), FRAME_TICKS):
            picture = [f"{title}  ({tick * TICK_S:4.1f} s)", *draw(*path[tick])]
            print("\x1b[2J\x1b[H" + "\n".join(picture), flush=True)
            time.sleep(TICK_S * FRAME_TICKS / 2)
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("pole"))
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--seed", default="one")
    parser.add_argument("--no-watch", action="store_true")
    args = parser.parse_args()
    island = make_island(args.folder, args.seed)
    evolve(island, LocalRunner(), args.generations, on_progress=print)
    if not args.no_watch:
        watch(island)


if __name__ == "__main__":
    try:
        main()
    except inos.InosError as error:
        sys.exit(f"error: {error}")
