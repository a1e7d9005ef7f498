"""The chain for users' tests: instant blocks, movable time, snapshots, and the mistakes of its users."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import inos
from inos import functions, programs
from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.client.tasks import DEFAULT_PAGES, DEFAULT_STEPS
from inos.functions import Delivered, FunctionSpec, Role
from inos.functions.limits import SPEC_VERSION
from inos.primitives.matrices import MatrixRef
from inos.programs import InvalidInput
from inos.programs.builder import ProgramBuilder
from inos.testing import TestChain, TestChainError
from inos.work.files import compute_file_id

ROOT = Path(__file__).parents[4]

HOUR_MS = 3_600_000
Make = Callable[..., TestChain]


def test_a_payment_is_on_chain_at_once(inos_devnet: TestChain) -> None:
    alice, bob, *others = inos_devnet.accounts
    assert len(others) == 8
    assert inos_devnet.height == 0
    tx = inos_devnet.send(alice, bob, "1.5")
    assert inos_devnet.height == 1
    assert inos_devnet.get_balance(bob) == inos_devnet.funds + 1_500_000_000
    assert inos_devnet.call("chain_getTransaction", id=tx)["height"] == 1
    assert inos_devnet.get_balance(alice) < inos_devnet.funds - 1_500_000_000


def test_blocks_only_when_asked_for(inos_chain_factory: Make) -> None:
    chain = inos_chain_factory(instant=False, accounts=2)
    alice, bob = chain.accounts
    chain.send(alice, bob, 1)
    chain.send(alice, bob, 2)
    assert (chain.height, chain.call("chain_head")["pool"]) == (0, 2)
    assert chain.mine(3) == chain.height == 3
    assert chain.get_balance(bob) == chain.funds + 3 * 10**9


def test_time_goes_as_it_is_told(inos_devnet: TestChain) -> None:
    inos_devnet.mine()
    before = inos_devnet.call("chain_getHeader", block="latest")["time_ms"]
    assert inos_devnet.advance(24 * 3600) >= before + 24 * HOUR_MS
    inos_devnet.mine()
    after = inos_devnet.call("chain_getHeader", block="latest")["time_ms"]
    assert 24 * HOUR_MS <= after - before < 25 * HOUR_MS
    inos_devnet.mine(2, seconds_apart=60)
    assert inos_devnet.call("chain_getHeader", block="latest")["time_ms"] - after >= 120_000
    with pytest.raises(TestChainError) as error:
        inos_devnet.advance(-1)
    assert error.value.code == "back-in-time"


def test_blocks_at_once_never_become_hard(inos_devnet: TestChain) -> None:
    inos_devnet.mine(300)
    assert int(inos_devnet.call("chain_head")["difficulty"]) < 64


def test_a_snapshot_brings_back_chain_pool_and_clock(inos_chain_factory: Make) -> None:
    chain = inos_chain_factory(instant=False)
    alice, bob, *_ = chain.accounts
    chain.send(alice, bob, 1)
    chain.mine(5)
    chain.send(alice, bob, 2)
    url, now, state = chain.url, chain.now_ms, chain.call("chain_head")
    first = chain.snapshot()
    chain.mine(4)
    chain.advance(9 * 3600)
    second = chain.snapshot()
    chain.mine()
    chain.revert(first)
    assert chain.url == url
    assert chain.now_ms - now < HOUR_MS
    assert {name: chain.call("chain_head")[name] for name in ("id", "height", "pool")} == {
        "id": state["id"], "height": 5, "pool": 1,
    }  # fmt: skip
    chain.mine()
    assert chain.get_balance(bob) == chain.funds + 3 * 10**9
    chain.revert(first)  # any number of times
    assert chain.height == 5
    with pytest.raises(TestChainError) as error:
        chain.revert(second)
    assert error.value.code == "unknown-snapshot"


def test_paid_jobs_are_done(inos_devnet: TestChain) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-64, 64, (33, 70)), rng.integers(-64, 64, (18, 70))

    async def multiply(mode: str) -> np.ndarray:
        async with inos_devnet.client(inos_devnet.accounts[3]) as client:
            return await client.multiply(x, w, reward="2", mode=mode, timeout_s=60)  # type: ignore[arg-type]

    for mode in ("checked", "optimistic"):
        assert np.array_equal(asyncio.run(multiply(mode)), x @ w.T)
    record = inos_devnet.call("job_trackRecord", address=inos_devnet.worker.address)
    assert record["worker"]["settled"] == 2


def test_a_worker_that_rests_until_it_is_told(inos_chain_factory: Make) -> None:
    chain = inos_chain_factory(works=False)
    x = np.ones((4, 5), np.int8)

    async def post(has_operands: bool) -> str:
        async with chain.client(chain.accounts[0]) as client:
            if not has_operands:
                client.put_matrix = client._put = forget  # type: ignore[method-assign, assignment]
            return await client.post_job(x if has_operands else 3 * x, x, reward="1")

    async def forget(array: np.ndarray, ref: MatrixRef, *rest: object) -> MatrixRef:
        return ref

    job, withheld = asyncio.run(post(True)), asyncio.run(post(False))
    assert {chain.call("job_get", id=id)["state"] for id in (job, withheld)} == {"open"}
    assert chain.do_jobs() == [job]
    assert [chain.call("job_get", id=id)["state"] for id in (job, withheld)] == ["settled", "open"]


async def test_beside_an_event_loop_of_one_s_own(inos_devnet: TestChain) -> None:
    async with inos_devnet.client(inos_devnet.accounts[0]) as client:
        await client.transfer(inos_devnet.accounts[1].address, "3")
        assert (await client.head()).height == 1


def test_what_it_refuses(tmp_path: Path) -> None:
    chain = TestChain(folder=tmp_path)
    with pytest.raises(TestChainError) as error:
        chain.mine()
    assert error.value.code == "not-running"
    with chain:
        chain.mine()
        with pytest.raises(inos.RemoteError) as remote:
            chain.call("chain_getBlock", block=99)
        assert remote.value.code == "block-unknown"
    with pytest.raises(TestChainError):
        chain.call("chain_head")
    assert not [thread for thread in threading.enumerate() if thread.name == "inos-test-chain"]
    assert (tmp_path / "node").is_dir()  # a folder that the caller gave is kept


def test_a_chain_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("in the way")
    with pytest.raises(inos.InosError) as error, TestChain(folder=tmp_path):
        pass
    assert error.value.code == "data-dir-unusable"


def test_the_plugin_is_there_for_everybody(tmp_path: Path) -> None:
    """A user's test needs no import, and nothing heavy is loaded before it is used."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    assert 'numpy' not in sys.modules\n"
        "def test_it(inos_devnet):\n"
        "    a, b, *_ = inos_devnet.accounts\n"
        "    inos_devnet.send(a, b, 1)\n"
        "    assert inos_devnet.height == 1\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest", "-p", "no:asyncio", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_chains_worker_computes_programs_and_functions(inos_devnet: TestChain) -> None:
    b = ProgramBuilder()
    x = b.input(16, 64, -64, 63, name="x")
    weights = np.arange(-32, 32, dtype=np.int8).repeat(64).reshape(64, 64)
    built = b.finish([b.clamp(b.mul(b.matmul(x, b.operand(weights)), 1, shift=7), -64, 63)])
    given = np.random.default_rng(5).integers(-64, 64, (16, 64), np.int8)
    [expected] = programs.run_program(programs.check_program(built.program), [given], built.load)
    terms = TaskTerms(may_wait_for_jury=True)
    with BlockingClient(inos_devnet.url, secret=inos_devnet.accounts[0].secret) as client:
        [result] = client.run(built, [given], terms=terms)
        assert np.array_equal(result, expected)
        [again] = client.run(client.deploy(built), [given], terms=terms)
        assert np.array_equal(again, expected)
        with pytest.raises(InvalidInput, match="16 x 64"):
            client.run(built, [given[:8]], terms=terms)
        module = (ROOT / "examples" / "functions" / "words-c.wasm").read_bytes()
        answer = client.call_function(module, b"one two two", terms=terms)
    spec = FunctionSpec(SPEC_VERSION, compute_file_id(module), (), DEFAULT_PAGES, DEFAULT_STEPS, 2**20, None)
    local = functions.run(spec, module, b"one two two", role=Role.CHECKER, seed=bytes(32))
    assert isinstance(local, Delivered)
    assert answer == local.stdout
