"""Measures what each part of a block costs, for the table in consensus/costs.py. It prints microseconds of one core.

    python benchmarks/costs.py

It makes blocks with transactions of one kind each on a real ledger, and measures the processor time from the arriving
bytes to the written batch, less that of an empty block. It measures products, tiles and BLS signatures one by one.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from inos import work
from inos.chain.ledger import Ledger
from inos.consensus.execution import Execution
from inos.consensus.genesis_state import GenesisState, make_genesis
from inos.consensus.jury import draw_jurors
from inos.consensus.params import Params
from inos.consensus.records import Committee, Member
from inos.consensus.results import TRUSTED_RESULTS
from inos.genesis import load_network
from inos.primitives.blocks import HEADER_VERSION, Block, Header, compute_anchor, compute_tx_root, encode_target
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.matrices import DTYPE_INT7, DTYPE_INT32, PANEL_BYTES, MatrixRef, StripRow, make_matrix_ref
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    JobMode,
    Payload,
    PostJob,
    SubmitResult,
    Transaction,
    Transfer,
    compute_tx_id,
    sign_transaction,
)
from inos.primitives.units import U64_MAX, U256_MAX, Address, BlockId, Hash, Height, JobId, Nano, TimeMs
from inos.work.engine import Lottery
from inos.work.fraud import Tile, is_tile_wrong
from inos.work.strips import StripTree, compute_leaf_row, compute_strip

COUNT: Final = 300
"""Number of transactions in a block."""
PEOPLE: Final = [(n + 1).to_bytes(32, "big") for n in range(COUNT)]
BEGAN: Final = TimeMs(1_700_000_000_000)
FREIVALDS_SHAPES: Final = ((64, 64, 64), (1024, 1024, 1024), (1, 400_000, 4), (2000, 2000, 4), (400_000, 1, 4))
"""The most costly shapes for their bytes are among them: Y with many columns needs as many random numbers."""


def make_params() -> Params:
    """Return the devnet's parameters, with room for any block."""
    return msgspec.structs.replace(
        load_network("devnet").params,
        genesis_target=U256_MAX,
        max_target=U256_MAX,
        max_block_cost_us=10**12,
        base_open_claims=10_000,
        max_open_claims=10_000,
        burn_per_mille=0,
        challenge_window=8,
        job_retention=8,
        min_claim_window=1,
        finality_start=10**9,
    )


class Bench:
    """A ledger to which blocks with transactions of one kind are added."""

    def __init__(self, folder: Path) -> None:
        self.params = make_params()
        funds = {compute_address(compute_public_key(secret)): Nano(10**15) for secret in PEOPLE}
        self.genesis: GenesisState = make_genesis(self.params, BEGAN, funds)
        self.ledger = Ledger.open(
            folder, self.params, self.genesis, results=TRUSTED_RESULTS, is_durable=False, bls=get_bls()
        )
        rng = np.random.default_rng(1)
        self._x, self._w = (work.Operand.commit(rng.integers(-64, 64, (16, 1024), np.int8)) for _ in range(2))
        self.empty_us = 0.0
        self.empty_us = min(self.add([]) for _ in range(6))

    def order(self, payloads: Sequence[Payload]) -> list[Transaction]:
        """Return one transaction of each kind of payload, each from another account."""
        signed = []
        for secret, payload in zip(PEOPLE, payloads, strict=False):
            account = self.ledger.state.get_account(compute_address(compute_public_key(secret)))
            signed.append(sign_transaction(secret, self.params.chain_id, account.nonce, 1000, payload))
        return signed

    def add(self, transactions: Sequence[Transaction]) -> float:
        """Return the microseconds for a block with these transactions, less those of an empty block."""
        block, witness = self._seal(transactions)
        data = encode(block)
        started = time.process_time()
        self.ledger.add_block(decode(Block, data, limit=1 << 30), witness, TimeMs(block.header.time_ms))
        return (time.process_time() - started) * 1e6 - self.empty_us

    def measure(self, name: str, payloads: Sequence[Payload]) -> list[Transaction]:
        """Print the cost of one transaction of a kind."""
        orders = self.order(payloads)
        print(f"{name:34} {self.add(orders) / len(orders):10.0f}")
        return orders

    def wait(self, name: str, height: int, count: int) -> None:
        """Print the cost of one job in the queue that the block at `height` processes."""
        while self.ledger.tip.header.height < height - 1:
            self.add([])
        print(f"{name:34} {self.add([]) / count:10.0f}")

    def _seal(self, transactions: Sequence[Transaction]) -> tuple[Block, Any]:
        ledger, params = self.ledger, self.params
        context, target = ledger.compute_next()
        tip = ledger.tip
        execution = Execution(
            params,
            ledger.state,
            height=Height(tip.header.height + 1),
            beneficiary=Address(bytes(20)),
            target=target,
            results=TRUSTED_RESULTS,
            parent=tip.id,
            bls=get_bls(),
        )
        for tx in transactions:
            execution.add(tx)
        header = Header(
            version=HEADER_VERSION,
            chain_id=params.chain_id,
            height=tip.header.height + 1,
            parent=tip.id,
            time_ms=context.parent.time_ms + params.spacing_ms,
            tx_root=compute_tx_root(transactions),
            state_root=ledger.compute_state_root(execution.finish().changes),
            target=encode_target(target),
            beneficiary=bytes(20),
            nonce=0,
            seal=None,
        )
        (win,) = Lottery(self._w, compute_anchor(header), target, threads=1).mine_strips(self._x, 0, 1).wins
        return Block(msgspec.structs.replace(header, seal=win.seal), tuple(transactions)), win.witness


def make_ref(dtype: int, rows: int, cols: int, tag: int) -> MatrixRef:
    return make_matrix_ref(dtype, rows, cols, Hash(tag.to_bytes(32, "big")))


def make_posts(height: int, mode: JobMode, tag: int) -> list[Payload]:
    """Return small jobs, each with its own operands."""
    return [
        PostJob(
            x=make_ref(DTYPE_INT7, 16, 64, tag + 2 * n),
            w=make_ref(DTYPE_INT7, 16, 64, tag + 2 * n + 1),
            reward=100,
            bond=10**9,
            claim_window=10,
            deadline=height + 12,
            mode=mode,
            max_burn=U64_MAX,
        )
        for n in range(COUNT)
    ]


def measure_orders(bench: Bench) -> None:
    """Measure all transactions without BLS signatures, and each queue."""
    addresses = [compute_address(compute_public_key(secret)) for secret in PEOPLE]
    bench.measure("transfer to a known account", [Transfer(address, 1) for address in addresses[::-1]])
    bench.measure("transfer to a new account", [Transfer(n.to_bytes(20, "big"), 10**9) for n in range(1, COUNT + 1)])
    mode = JobMode.CHECKED
    jobs = [
        JobId(compute_tx_id(tx)) for tx in bench.measure("post", make_posts(bench.ledger.tip.header.height, mode, 1))
    ]
    bench.measure("claim", [ClaimJob(job) for job in jobs])
    results = [SubmitResult(job, make_ref(DTYPE_INT32, 16, 16, 10**6 + n)) for n, job in enumerate(jobs)]
    bench.measure("result, but for its product", results)
    settled_at = bench.ledger.tip.header.height
    posts = bench.order(make_posts(settled_at, mode, 10**7))
    bench.add(posts)
    bench.measure("cancel", [CancelJob(compute_tx_id(tx)) for tx in posts])
    bench.wait("queue: removal", settled_at + bench.params.job_retention, COUNT)
    height = bench.ledger.tip.header.height
    lapsing = bench.order(make_posts(height, mode, 10**8))
    bench.add(lapsing)
    bench.add(bench.order([ClaimJob(compute_tx_id(tx)) for tx in lapsing]))
    bench.wait("queue: lapse", height + 13, COUNT)
    bench.wait("queue: removal after a lapse", height + 13 + bench.params.job_retention, COUNT)
    height = bench.ledger.tip.header.height
    bench.add(bench.order(make_posts(height, mode, 10**9)))
    bench.wait("queue: deadline", height + 13, COUNT)


def measure_products() -> None:
    """Measure hashing and checking by the bytes of operands and result, since the worst shapes determine the cost."""
    rng = np.random.default_rng(2)
    for m, n, k in FREIVALDS_SHAPES:
        x, w = (rng.integers(-64, 64, (rows, k), np.int8) for rows in (m, n))
        y = (x.astype(np.int32) @ w.astype(np.int32).T).astype(np.int32)
        size = m * k + n * k + 4 * m * n

        def check(x: Any = x, w: Any = w, y: Any = y) -> None:
            for array in (x, w, y):
                work.matrix_id(array)
            if not work.freivalds(x, w, y, bytes(32)):
                raise AssertionError("a right product is refused")

        us = clock(check, 3)
        print(f"product {m} x {n} x {k}, {size} bytes".ljust(34), f"{us:10.0f}  {size / us:.0f} bytes/us")


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


def measure_jury() -> None:
    """Measure reading a committee of 512 and drawing a jury from it."""
    params = load_network("testnet").params
    members = tuple(Member(bytes([n % 256]) * 20, bytes(48), 10**9 + n, 10**10) for n in range(512))
    data = encode(Committee(members))

    def draw() -> None:
        committee = decode(Committee, data, limit=1 << 20)
        draw_jurors(params, committee.members, JobId(bytes(32)), BlockId(bytes(32)))

    print("a jury drawn".ljust(34), f"{clock(draw, 5):10.0f}")


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
    with tempfile.TemporaryDirectory() as folder:
        measure_orders(Bench(Path(folder)))
    measure_products()
    measure_tiles()
    measure_jury()
    measure_signatures()


if __name__ == "__main__":
    main()
