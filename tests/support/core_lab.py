"""Provides services on real ledgers in temporary folders, with blocks that are really mined, and a clock set by
hand."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.core.node_core import NodeCore
from inos.core.verification.backends import InlineBackend
from inos.core.verification.results import StoredResults
from inos.genesis import Network
from inos.genesis.loading import derive_devnet, make_network, parse_genesis
from inos.mesh.store import MatrixStore
from inos.primitives.blocks import Block, compute_anchor
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.matrices import Witness
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    Payload,
    PostJob,
    RegisterVoter,
    SubmitResult,
    Transaction,
    compute_tx_id,
    sign_transaction,
)
from inos.primitives.units import Address, JobId, Nano, TimeMs
from inos.primitives.votes import make_possession_message
from inos.wallet.keys import Key, make_key

START = TimeMs(1_700_000_000_000)
EASY = "0f" + "ff" * 31
ALICE, WORKER, MINER = (make_key(bytes(31) + bytes([n])) for n in (1, 2, 3))
FEE = 100_000
REWARD = 10**9
MAX_BURN = 10**9
RNG = np.random.default_rng(8)
X = RNG.integers(-64, 64, (24, 50), dtype=np.int8)
W = RNG.integers(-64, 64, (16, 50), dtype=np.int8)
Y: NDArray[np.int32] = X.astype(np.int32) @ W.T.astype(np.int32)


class HandClock:
    """Stands still until a test sets it."""

    def __init__(self) -> None:
        self.now = START

    def now_ms(self) -> TimeMs:
        return TimeMs(self.now)

    def monotonic(self) -> float:
        return self.now / 1000


class Lab:
    """Makes cores that share one genesis and one clock."""

    alice, worker, miner = ALICE, WORKER, MINER
    x, w, y = X, W, Y

    def __init__(self, path: Path, stack: ExitStack) -> None:
        funds = {key.address: Nano(100 * 10**9) for key in (ALICE, WORKER)}
        easy = {
            "genesis_target": EASY,
            "max_target": EASY,
            "burn_per_mille": 0,
            "byte_burn_per_mille": 0,
            "result_depth": 16,
        }
        text = derive_devnet("devnet", START, funds, params=easy)
        self.genesis_file = path / "network.json"
        self.genesis_file.write_text(text)
        self.network: Network = make_network(parse_genesis(text, "a test's genesis"))
        self.clock = HandClock()
        self._path = path
        self._stack = stack
        self._nonce = 0
        self._ledgers: dict[NodeCore, Ledger] = {}

    def open(self, name: str) -> NodeCore:
        """Open a core in its own folder; opened again, it has the state it had."""
        matrices = MatrixStore(self._path / name / "matrices")
        results = StoredResults(matrices)
        ledger = Ledger.open(
            self._path / name / "ledger",
            self.network.params,
            self.network.state,
            results=results.known,
            bls=get_bls(),
            is_durable=False,
        )
        pool = Mempool(self.network.params)
        backend = InlineBackend(get_bls())
        core = NodeCore(self.network, ledger, pool, matrices, results, self.clock, bls=get_bls(), backend=backend)
        self._ledgers[core] = ledger
        self._stack.callback(ledger.close)
        self._stack.callback(core.close)
        return core

    def get_ledger(self, core: NodeCore) -> Ledger:
        return self._ledgers[core]

    def close(self, core: NodeCore) -> None:
        core.close()
        self._ledgers[core].close()

    async def mine(self, core: NodeCore, beneficiary: Address = MINER.address) -> tuple[Block, Witness]:
        """Mine a block on the core's tip, one spacing later, without adding it."""
        height = core.ledger.tip.header.height + 1
        self.clock.now = TimeMs(max(self.clock.now, START + height * self.network.params.spacing_ms))
        template = await core.templates.make(beneficiary)
        operand = work.Operand.commit(np.ones((64, 64), np.int8))
        while True:
            self._nonce += 1
            header = replace(template.header, nonce=self._nonce)
            mined = work.mine(operand, operand, compute_anchor(header), template.allowed_target, backend="numpy")
            if mined.wins:
                sealed = replace(header, seal=mined.wins[0].seal)
                return Block(sealed, template.transactions, template.aggregate), mined.wins[0].witness

    async def extend(self, *cores: NodeCore, beneficiary: Address = MINER.address) -> Block:
        """Mine a block on the first core, and add it to all."""
        block, witness = await self.mine(cores[0], beneficiary)
        for core in cores:
            await core.blocks.add(block, witness)
        return block

    def sign(self, key: Key, nonce: int, payload: Payload, fee: int = FEE) -> Transaction:
        return sign_transaction(key.secret, self.network.params.chain_id, nonce, fee, payload)

    async def seat_jury(self, *cores: NodeCore) -> None:
        """Let MINER vote, so that there is a committee that could judge optimistic results."""
        await self.extend(*cores)
        secret, params = compute_secret(b"\7" * 32), self.network.params
        key = get_bls().compute_public_key(secret)
        proof = get_bls().prove_possession(secret, make_possession_message(key, MINER.address, params.chain_id))
        register = self.sign(MINER, 0, RegisterVoter(key, proof, params.min_voter_bond))
        await cores[0].transactions.add(register)
        while cores[0].ledger.tip.header.height <= 2 * params.epoch_blocks:
            await self.extend(*cores)

    async def post_and_claim(
        self, *cores: NodeCore, with_operands: bool = True, mode: JobMode = JobMode.CHECKED
    ) -> JobId:
        """Post a job of ALICE's and let WORKER claim it, two blocks later."""
        x, w = work.matrix_ref(X), work.matrix_ref(W)
        if mode is JobMode.OPTIMISTIC:
            await self.seat_jury(*cores)
        bond = self.network.params.min_bond if mode is JobMode.CHECKED else REWARD
        post = self.sign(ALICE, 0, PostJob(x, w, REWARD, bond, 20, 1000, mode, MAX_BURN))
        job = JobId(compute_tx_id(post))
        if with_operands:
            for array in (X, W):
                await cores[0].matrices.put(array)
        await cores[0].transactions.add(post)
        await self.extend(*cores)
        await cores[0].transactions.add(self.sign(WORKER, 0, ClaimJob(job)))
        await self.extend(*cores)
        return job

    def submit(self, job: JobId, y: NDArray[Any] = Y) -> Transaction:
        return self.sign(WORKER, 1, SubmitResult(job, work.matrix_ref(y)))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(tmp_path, stack)
