"""Chains that benchmarks made, kept in directories for the next run, and copied for several nodes."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from inos.bench.chains import Chain
from inos.primitives.units import BlockId

ABOUT_NAME: Final = "chain.json"


@contextmanager
def open_chain(name: str, keep: Path | None, make: Callable[[Path], Chain]) -> Iterator[tuple[Chain, Path]]:
    """Yield a chain and an empty folder for the nodes of the benchmark, which is removed afterwards.

    Args:
        name: the chain's, so that different chains can be kept side by side.
        keep: a directory that may have the chain from an earlier run, and keeps it for the next.
        make: makes the chain in an empty folder.
    """
    with TemporaryDirectory(prefix="inos-bench-") as temporary:
        folder = (keep or Path(temporary)) / name
        chain = _load(folder)
        if chain is None:
            shutil.rmtree(folder, ignore_errors=True)
            chain = make(folder)
            _save(chain)
        yield chain, Path(temporary) / "nodes"


def copy_chain(chain: Chain, folder: Path, number: int) -> Path:
    """Return the data directory of node `number`: the chain's own folder for the first, copies for the others."""
    if number == 0:
        return chain.folder
    copy = folder / f"source{number}"
    shutil.copytree(chain.folder, copy, ignore=shutil.ignore_patterns("node.*", "lock", "rpc.token"))
    return copy


def _save(chain: Chain) -> None:
    about: dict[str, Any] = {
        "blocks": chain.blocks,
        "transfers": chain.transfers,
        "tip": chain.tip.hex(),
        "seconds": chain.seconds,
    }
    (chain.folder / ABOUT_NAME).write_text(json.dumps(about))


def _load(folder: Path) -> Chain | None:
    try:
        about = json.loads((folder / ABOUT_NAME).read_text())
    except (OSError, ValueError):
        return None
    return Chain(
        folder=folder,
        network=folder / "genesis.json",
        blocks=about["blocks"],
        transfers=about["transfers"],
        tip=BlockId(bytes.fromhex(about["tip"])),
        seconds=about["seconds"],
    )
