"""Measure what each part of a block costs, for the table in consensus/costs.py: microseconds of one core.

    python benchmarks/costs.py [KIND ...]

For each kind of `inos bench blocks`, a block of that kind alone is made on a real ledger of the devnet. Counted is the
processor time from the bytes that come to the batch that is written, signatures included.
Products, tiles and BLS signatures are measured one by one.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from inos import work
from inos.bench.blocks.kinds import KINDS, Kind
from inos.bench.blocks.workshop import Workshop, open_workshop
from inos.consensus.validity import check_transactions_sanity
from inos.core.verification.results import StoredResults
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.matrices import PANEL_BYTES, Product, StripRow
from inos.primitives.units import JobId
from inos.work.fraud import Tile, is_tile_wrong
from inos.work.strips import StripTree, compute_leaf_row, compute_strip

NETWORK: Final = "devnet"
ROUNDS: Final = 5
FREIVALDS_SHAPES: Final = (
    (16, 16, 64),
    (64, 64, 64),
    (1024, 1024, 1024),
    (2000, 2000, 4),
    (1, 400_000, 4),
    (400_000, 1, 4),
)
"""Among them the most costly ones for their bytes: many columns of Y draw as many random numbers."""


def measure_kind(kind: Kind, folder: Path) -> None:
    """Print the cost of one order of a kind, or of one job, jury or voter at the start of a block."""
    params = load_network(NETWORK).params
    with open_workshop(folder, NETWORK, kind.count_people(params), {}, doublings=3) as shop:
        found = kind.prepare(shop)
        orders = () if found.started else found.orders
        block = shop.seal(shop.fill(orders, aggregate=found.aggregate))[0]
        count = found.started or len(block.transactions)
        us = clock(lambda: take(shop, block), ROUNDS)
        print(f"{kind.name:30} {count:6} {us / count:10.0f}", flush=True)


def take(shop: Workshop, made: Block) -> None:
    """Do with a block what a node does with one of a peer's, but for its products."""
    view, bls = shop.ledger.view, get_bls()
    block = decode(Block, encode(made), limit=1 << 30)
    check_transactions_sanity(shop.params, block.transactions, bls)
    reader = view.reader
    prepared = reader.prepare(shop.params, compute_block_id(block.header), block, bls)
    if prepared.violation is not None:
        raise prepared.violation
    view.database.write({b"\xff" + key: value for key, value in prepared.batch.items()})


def measure_products() -> None:
    """Reading, hashing and checking, by the bytes of operands and result; the worst shapes count."""
    rng = np.random.default_rng(2)
    for m, n, k in FREIVALDS_SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            store = MatrixStore(Path(folder))
            x, w = (rng.integers(-64, 64, (rows, k), np.int8) for rows in (m, n))
            y = (x.astype(np.int32) @ w.astype(np.int32).T).astype(np.int32)
            refs = [store.put(array) for array in (x, w, y)]
            size = m * k + n * k + 4 * m * n

            def check(store: MatrixStore = store, refs: Sequence[Any] = refs) -> None:
                if not StoredResults(store).get_verdict(Product(JobId(bytes(32)), *refs)):
                    raise AssertionError("a right product is refused")

            us = clock(check, ROUNDS)
            store.close()
        print(f"product {m} x {n} x {k}, {size} bytes".ljust(37), f"{us:10.0f}  {size / us:.0f} bytes/us")


def measure_tiles() -> None:
    """Measure a challenge's tile by the number of its strips."""
    for depth in (1024, 65_536):
        x, w, y = (np.zeros((16, depth), np.int8), np.zeros((16, depth), np.int8), np.ones((16, 16), np.int32))
        refs = [work.matrix_ref(array) for array in (x, w, y)]
        rows = [
            StripRow(
                b"".join(compute_strip(array, index) for index in range(strips)),
                StripTree(compute_leaf_row(array)).compute_range_path(0, strips),
            )
            for array, strips in ((x, depth // PANEL_BYTES), (w, depth // PANEL_BYTES), (y, 1))
        ]
        tile = Tile(0, 0, *rows)
        us = clock(lambda: is_tile_wrong(*refs, tile), 3)  # noqa: B023
        print(f"tile of depth {depth}".ljust(34), f"{us:10.0f}")


def measure_signatures() -> None:
    """Measure BLS signatures with the backend of this machine."""
    bls = get_bls()
    secrets = [compute_secret(n.to_bytes(32, "big")) for n in range(512)]
    keys = [bls.compute_public_key(secret) for secret in secrets]
    votes = [bls.sign(secret, bytes(32)) for secret in secrets]
    print(
        f"BLS signature, {bls.name}".ljust(34), f"{clock(lambda: bls.is_signed(keys[0], bytes(32), votes[0]), 5):10.0f}"
    )
    for count in (1, 512):
        whole = bls.aggregate(votes[:count])
        us = clock(lambda: bls.is_aggregate_signed(keys[:count], bytes(32), whole), 3)  # noqa: B023
        print(f"BLS aggregate of {count}".ljust(34), f"{us:10.0f}")


def clock(call: Callable[[], object], times: int) -> float:
    """Return the least processor time of a call, in microseconds."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        call()
        taken.append((time.process_time() - started) * 1e6)
    return min(taken)


def main() -> None:
    """Measure the kinds that are named, or everything."""
    names = sys.argv[1:]
    for kind in KINDS:
        if not names or kind.name in names:
            with tempfile.TemporaryDirectory() as folder:
                measure_kind(kind, Path(folder) / "chain")
    if not names:
        measure_products()
        measure_tiles()
        measure_signatures()


if __name__ == "__main__":
    main()
