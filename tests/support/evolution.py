"""Small runs of evolution, for tests: six generations take less than a second."""

from pathlib import Path

import numpy as np

from inos.evolve.eggroll import Settings, check_examples
from inos.evolve.files import Files, MemoryFiles
from inos.evolve.island import Island, create_island
from inos.evolve.problems import add_constant, write_network_run
from inos.evolve.runners import LocalRunner
from inos.evolve.seeds import derive_local_owner, derive_seed

SMALL = Settings(hidden=8, pairs=32, batch=16, updates=2, first_shift=7, rate=20, last_rate=4, cooling=40)


def make_examples(count: int = 40, width: int = 7, classes: int = 3, spread: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs around one point for each class, and their labels."""
    rng = np.random.default_rng(5)
    centres = rng.integers(-40, 41, (classes, width))
    labels = rng.integers(0, classes, count)
    inputs = np.clip(centres[labels] + rng.integers(-spread, spread + 1, (count, width)), -64, 63)
    return add_constant(inputs.astype(np.int64)), labels


def write_small_run(files: Files, title: str = "small") -> bytes:
    inputs, labels = make_examples()
    return write_network_run(files, title, check_examples(inputs, labels, 3), SMALL)


def make_island(folder: Path, name: str = "one", files: Files | None = None, owner: bytes | None = None) -> Island:
    """Return a new island of the small run; the name is its seed."""
    seed, memory = derive_seed(name), files or MemoryFiles()
    create_island(folder, memory, write_small_run(memory), seed, owner or derive_local_owner(seed))
    return Island(folder)


def advance(island: Island, generations: int) -> Island:
    for _ in range(generations):
        island.advance(LocalRunner())
    return island
