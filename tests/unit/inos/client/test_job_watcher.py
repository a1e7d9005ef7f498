"""Products are multiplied through a node in memory: the complete way, and every way in which it can fail."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

import inos
from inos import work
from inos.client import models
from inos.client.costs import MAX_ADVISED_TICKET_REWARD, choose_reward
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.job_watcher import JobWatch, JobWatcher
from inos.client.operands import BadOperand, make_ref, read_credits, to_operand
from inos.client.tip import Tip
from inos.client.uploads import upload_rows
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import ClaimJob, compute_tx_id
from inos.primitives.units import Nano
from inos.wallet import build
from inos.wallet.errors import WalletError
from inos.wallet.keys import make_key
from support.client_models import make_model
from support.fake_node import WORKER, FakeNode
from support.rpc_served import make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")
FUNDS = 100 * 10**9
BURN = 15_082_032
"""In nano: what posting X times W burns as a checked job at D = 20,000, for 6 tickets, 11 strips, and the record."""
RNG = np.random.default_rng(2)
X = RNG.integers(-64, 64, (33, 70))
W = RNG.integers(-64, 64, (18, 70))


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(FUNDS, ALICE.address, WORKER.address)


@pytest.fixture
async def client(node: FakeNode, tmp_path: Path) -> AsyncIterator[inos.Client]:
    async with serve(node, tmp_path) as server, inos.Client(server.url, wallet=ALICE) as client:
        yield client


@pytest.fixture
async def life(node: FakeNode) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(node.live())
        yield
        task.cancel()


@pytest.mark.usefixtures("life")
async def test_multiply(client: inos.Client, node: FakeNode) -> None:
    y = await client.multiply(X, W, reward="1.5", timeout_s=60)
    assert y.dtype == np.int32
    assert np.array_equal(y, X @ W.T)
    job = (await client.jobs()).jobs[0]
    assert (job.reward, job.state, job.burned) == (1_500_000_000, "settled", BURN)
    assert (await client.account()).balance == FUNDS - 1_500_000_000 - BURN - 1000
    assert np.array_equal(await client.result(job.id), X @ W.T)


@pytest.mark.usefixtures("life")
async def test_several_products_at_once(client: inos.Client) -> None:
    xs = [RNG.integers(-64, 64, (5, 70), np.int8) for _ in range(4)]
    found = await asyncio.gather(*(client.multiply(x, W, reward_nano=1000, timeout_s=60) for x in xs))
    for x, y in zip(xs, found, strict=True):
        assert np.array_equal(y, x.astype(np.int64) @ W.T)


@pytest.mark.usefixtures("life")
async def test_an_array_filled_anew_while_its_product_is_made_changes_nothing(client: inos.Client) -> None:
    buffer, layers = np.empty((18, 70), np.int8), [RNG.integers(-64, 64, (18, 70), np.int8) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        tasks = []
        for layer in layers:
            buffer[...] = layer
            tasks.append(group.create_task(client.multiply(X, buffer, reward_nano=1000, timeout_s=60)))
            await asyncio.sleep(0)
    for layer, task in zip(layers, tasks, strict=True):
        assert np.array_equal(task.result(), X @ layer.T.astype(np.int64))


@pytest.mark.usefixtures("life")
async def test_a_mapped_file_that_changes_is_not_blamed_on_the_worker(
    client: inos.Client, node: FakeNode, tmp_path: Path
) -> None:
    mapped = np.lib.format.open_memmap(tmp_path / "w.npy", "w+", np.int8, W.shape)
    mapped[...] = W

    def spoil(y: Any) -> Any:  # called when the job is posted and multiplied
        mapped[0, 0] ^= 1
        return y

    node.spoil = spoil
    with pytest.raises(ClientError) as caught:
        await client.multiply(X, mapped, reward="1", timeout_s=60)
    assert caught.value.code == "operand-changed"


async def test_advice_of_the_node_is_followed_up_to_a_ceiling(
    client: inos.Client, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.mempool, "estimate_fee", lambda size, cost_us: build.MAX_ADVISED_FEE + 1)
    to = await client.get_address()
    asked = (
        lambda: client.transfer(to, "1"),
        lambda: client.post_job(X, W, reward=1),
        lambda: client.multiply(X, W, reward=1),
        lambda: asyncio.to_thread(inos.matmul, X, W.T, client=client, reward=1),
    )
    for ask in asked:
        with pytest.raises(WalletError) as caught:
            await ask()
        assert caught.value.code == "fee-too-high"
    assert not node.mempool.waiting
    await client.transfer(to, "1", fee_nano=build.MAX_ADVISED_FEE + 1)
    await client.post_job(X, W, reward=1, fee_nano=5000)
    assert sorted(tx.fee for tx in node.mempool.waiting.values()) == [5000, build.MAX_ADVISED_FEE + 1]


async def test_a_going_rate_beyond_reason_is_not_offered(client: inos.Client, node: FakeNode) -> None:
    tickets = 3 * 2  # 33 x 18 entries from depth 70
    most = MAX_ADVISED_TICKET_REWARD * tickets
    quote = make_model(models.Quote, suggested_reward=most)
    assert choose_reward(quote, None, tickets) == most
    assert choose_reward(replace(quote, suggested_reward=most + 1), Nano(5), tickets) == 5
    real = client.quote

    async def lie(*args: Any, **options: Any) -> models.Quote:
        return replace(await real(*args, **options), suggested_reward=most + 1)

    client.quote = lie  # type: ignore[method-assign]
    with pytest.raises(ClientError) as caught:
        await client.post_job(X, W)
    assert caught.value.code == "reward-too-high"
    assert not node.mempool.waiting


@pytest.mark.usefixtures("life")
async def test_as_many_blocks_deep_as_asked(client: inos.Client, node: FakeNode) -> None:
    job = await client.post_job(X, W, reward=Decimal("0.5"))
    settled = await client.wait_job(job, 30)
    assert settled.closed_at is not None
    async with asyncio.TaskGroup() as group:
        deep = group.create_task(client.wait_job(job, 30, confirmations=3))
        while (await client.head()).height < settled.closed_at + 2:
            assert not deep.done()
            node.mine()
    assert deep.result().id == job


@pytest.mark.usefixtures("life")
async def test_a_wrong_product_is_never_returned(client: inos.Client, node: FakeNode) -> None:
    def spoil(y: Any) -> Any:
        y[7, 3] += 1
        return y

    node.spoil = spoil
    with pytest.raises(JobFailed) as caught:
        await client.multiply(X, W, reward="1", timeout_s=60)
    assert caught.value.code == "wrong-result"


@pytest.mark.usefixtures("life")
async def test_another_matrix_under_the_results_id_is_refused(client: inos.Client, node: FakeNode) -> None:
    job = await client.post_job(X, W, reward="1")
    settled = await client.wait_job(job, 30)
    assert settled.y is not None
    node.store.arrays[bytes.fromhex(settled.y.id)][0, 0] += 1
    with pytest.raises(ClientError) as caught:
        await client.result(job)
    assert caught.value.code == "wrong-matrix"


@pytest.mark.parametrize(
    ("x", "w", "code"),
    [
        (X.astype(np.float64), W, "bad-dtype"),
        (X.tolist(), W, "bad-dtype"),
        (X[0], W, "bad-shape"),
        (X[:0], W, "bad-shape"),
        (X, W[:, 1:], "depth-mismatch"),
        (X, W.T, "depth-mismatch"),
        (np.where(np.arange(70) == 5, 64, X), W, "entry-out-of-range"),
        (X, np.where(np.arange(70) == 5, -65, W), "entry-out-of-range"),
    ],
)
async def test_bad_operands_are_refused_before_anything_is_sent(
    client: inos.Client, node: FakeNode, x: Any, w: Any, code: str
) -> None:
    with pytest.raises(BadOperand) as caught:
        await client.multiply(x, w, reward="1")
    assert caught.value.code == code
    assert (node.store.arrays, len(node.mempool)) == ({}, 0)


async def test_the_place_of_a_wrong_entry_is_named(client: inos.Client) -> None:
    wrong = W.copy()
    wrong[4, 9] = 200
    with pytest.raises(BadOperand, match=r"W\[4, 9\] is 200"):
        await client.post_job(X, wrong, reward="1")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"reward": "1", "reward_nano": 5}, "bad-reward"),
        ({"reward": True}, "bad-reward"),
        ({"reward": 0.1 + 0.2}, "bad-reward"),
        ({"reward": float("nan")}, "bad-reward"),
        ({"reward": "much"}, "bad-reward"),
        ({"reward": "0.0000000001"}, "bad-reward"),
        ({"reward": "-1"}, "bad-reward"),
    ],
)
async def test_rewards_are_read_strictly(client: inos.Client, options: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        await client.post_job(X, W, **options)
    assert caught.value.code == code


async def test_a_reward_above_the_balance_sends_nothing(client: inos.Client, node: FakeNode) -> None:
    with pytest.raises(WalletError) as caught:
        await client.post_job(X, W, reward="100")
    assert caught.value.code == "insufficient-balance"
    assert node.store.arrays == {}


def raise_price(node: FakeNode) -> None:
    """Refuse the next transaction as the rules do where its price has moved."""
    node.refusal = RuleViolation("burn-above-maximum", "the job burns more", expected="at most 1 nano", got=2)


async def test_a_job_is_signed_again_within_the_agreed_limit(client: inos.Client, node: FakeNode) -> None:
    quote = await client.quote(X.shape[0], W.shape[0], X.shape[1], reward_nano=10**9)
    raise_price(node)
    job = await client.post_job(X, W, reward="1", max_cost="3")
    (tx,) = node.mempool.waiting.values()
    assert compute_tx_id(tx).hex() == job
    assert quote.burn <= tx.payload.max_burn <= 2 * 10**9


async def test_a_job_is_not_signed_again_without_a_limit(client: inos.Client, node: FakeNode) -> None:
    for limits in ({}, {"max_burn": 10**7}):
        raise_price(node)
        with pytest.raises(ClientError) as caught:
            await client.post_job(X, W, reward="1", **limits)
        assert caught.value.code == "price-moved"
        assert node.mempool.waiting == {}


async def test_a_job_is_signed_again_once(client: inos.Client, node: FakeNode, monkeypatch: Any) -> None:
    send, sent = client.send_payload, []

    async def refuse(payload: Any, **more: Any) -> Any:
        sent.append(payload)
        raise_price(node)
        return await send(payload, **more)

    monkeypatch.setattr(client, "send_payload", refuse)
    with pytest.raises(RemoteError) as caught:
        await client.post_job(X, W, reward="1", max_cost="3")
    assert (caught.value.code, len(sent)) == ("burn-above-maximum", 2)


async def test_the_cheaper_mode_that_is_possible(client: inos.Client, node: FakeNode) -> None:
    tall = np.zeros((4096, 1), np.int8)
    for mode, code in (("checked", "job-too-large"), (None, "no-jury")):
        with pytest.raises(RemoteError) as caught:
            await client.post_job(tall, tall, reward="0.1", mode=mode)  # type: ignore[arg-type]
        assert caught.value.code == code
    assert node.store.arrays == {}
    before = await client.post_job(X, W, reward="0.1")
    chosen = await client.post_job(X, W, reward="0.1", mode="optimistic")
    node.seat_jury()
    large = await client.post_job(tall, tall, reward="0.1")
    small = await client.post_job(X, W, reward="0.1")
    node.mine()
    modes = [(await client.job(job)).mode for job in (before, chosen, large, small)]
    assert modes == ["checked", "optimistic", "optimistic", "optimistic"]
    assert ((await client.job(before)).burned, (await client.job(small)).burned) == (BURN, BURN - 12_207_032)


async def test_a_missing_result_is_disputed(client: inos.Client, node: FakeNode, tmp_path: Path) -> None:
    node.seat_jury()
    node.ledger.params = node.params = replace(node.params, challenge_window=4, epoch_blocks=1000)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(expect_failure(client.multiply(X, W, reward="1", mode="optimistic")))
        await asyncio.wait_for(node.has_transactions.wait(), 60)
        node.mine()
        node.store.put = lambda array: make_ref(array)  # type: ignore[method-assign]  # the worker keeps it to itself
        node.work_jobs()
        node.has_transactions.clear()
        node.mine()
        node.mine()
        await asyncio.wait_for(node.has_transactions.wait(), 40)
        node.mine()
    error = task.result()
    assert (error.code, "disputed by" in error.hint) == ("result-missing", True)
    assert (await client.job(error.job)).state == "disputed"
    stake = (await client.account()).bonded
    assert stake == 1_000_000_000 + 125_000_000  # the bond, which is the reward, and an eighth of it


async def test_a_wrong_result_is_disputed_at_once(client: inos.Client, node: FakeNode) -> None:
    node.seat_jury()
    node.spoil = lambda y: y + 1
    async with asyncio.TaskGroup() as group:
        task = group.create_task(expect_failure(client.multiply(X, W, reward="1", mode="optimistic")))
        await asyncio.wait_for(node.has_transactions.wait(), 60)
        node.mine()
        node.work_jobs()
        node.has_transactions.clear()
        await asyncio.wait_for(node.has_transactions.wait(), 40)
    error = task.result()
    assert (error.code, "disputed by" in error.hint) == ("wrong-result", True)


async def test_large_matrices_go_by_rows_and_their_product_comes_by_rows(
    client: inos.Client, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.client.sender.WHOLE_BYTES", 1000)
    monkeypatch.setattr("inos.client.uploads.CHUNK_BYTES", 1500)
    rng = np.random.default_rng(4)
    x, w = rng.integers(-64, 64, (77, 40), np.int8), rng.integers(-64, 64, (50, 40), np.int8)
    np.save(tmp_path / "X.npy", x)
    told: list[tuple[str, int, int]] = []
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    job = await client.post_job(mapped, w, reward="1", on_progress=lambda *step: told.append(step))
    assert told == [("X", 32, 77), ("X", 64, 77), ("X", 77, 77), ("W", 32, 50), ("W", 50, 50)]
    node.mine()
    with pytest.raises(JobFailed) as early:
        await client.save_result(job, tmp_path / "Y.npy")
    assert early.value.code == "job-open"
    node.work_jobs()
    y = await client.save_result(job, tmp_path / "Y.npy")
    assert y.dtype == np.int32
    assert np.array_equal(y, x.astype(np.int32) @ w.astype(np.int32).T)
    assert sorted(name for name in os.listdir(tmp_path) if "npy" in name) == [
        "X.npy", "Y.npy",
    ]  # fmt: skip
    # Rows of something else under the right id are seen, and leave no file.
    ref = (await client.job(job)).y
    assert ref is not None
    node.store.arrays[bytes.fromhex(ref.id)] = y + 1
    with pytest.raises(ClientError) as lied:
        await client.save_result(job, tmp_path / "again.npy")
    assert lied.value.code == "wrong-matrix"
    assert not (tmp_path / "again.npy").exists()


async def test_a_wrong_product_is_not_written(client: inos.Client, node: FakeNode, tmp_path: Path) -> None:
    def spoil(y: Any) -> Any:
        y[3, 2] += 1
        return y

    node.spoil = spoil
    node.seat_jury()
    job = await client.post_job(X, W, reward="1", mode="optimistic")
    node.mine()
    node.work_jobs()
    assert (await client.job(job)).state == "delivered"
    with pytest.raises(JobFailed) as caught:
        await client.save_result(job, tmp_path / "Y.npy")
    assert caught.value.code == "wrong-result"
    assert "row 3 " in caught.value.message
    assert "--watch" in str(caught.value.hint)
    assert [name for name in os.listdir(tmp_path) if "Y.npy" in name] == []


async def test_a_full_disk_ends_a_download_and_leaves_nothing(
    client: inos.Client, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.seat_jury()
    job = await client.post_job(X, W, reward="1", mode="optimistic")
    node.mine()
    node.work_jobs()

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("inos.client.npy_writer.NpyWriter.write", refuse)
    with pytest.raises(OSError, match="No space left"):
        await client.save_result(job, tmp_path / "Y.npy")
    assert [name for name in os.listdir(tmp_path) if "Y.npy" in name] == []


async def test_a_result_too_large_for_one_answer_comes_in_several(
    client: inos.Client, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 1000)
    monkeypatch.setattr("inos.client.downloads.CHUNK_BYTES", 900)
    y = np.arange(40 * 30, dtype=np.int32).reshape(40, 30)
    ref = await client.put_matrix(y)
    assert np.array_equal(await client.get_matrix(ref.id.hex()), y)


async def test_an_upload_goes_on_where_it_was(client: inos.Client, node: FakeNode) -> None:
    array = np.arange(-60, 60, dtype=np.int8).reshape(40, 3)
    ref = make_ref(array)
    await node.matrices.put_rows(ref.matrix_id, (1, 40, 3), 0, array[:16])
    told: list[int] = []
    await upload_rows(client.call, array, ref, "X", lambda what, done, rows: told.append(done))
    assert told == [40]
    assert np.array_equal(node.store.arrays[ref.id], array)


async def test_a_job_nobody_takes_is_cancelled(client: inos.Client, node: FakeNode) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(expect_failure(client.multiply(X, W, reward="1", timeout_s=1)))
        await asyncio.wait_for(node.has_transactions.wait(), 60)
        node.mine()
    error = task.result()
    assert error.code == "job-timeout"
    assert "open" in error.message
    assert "cancelled by" in error.hint
    node.mine()
    assert (await client.job(error.job)).state == "cancelled"
    assert (await client.account()).balance == FUNDS - BURN - 2000
    with pytest.raises(JobFailed) as caught:
        await client.wait_job(error.job, 5)
    assert caught.value.code == "job-cancelled"
    with pytest.raises(JobFailed) as caught:
        await client.result(error.job)
    assert caught.value.code == "job-open"


async def expect_failure(call: Any) -> JobFailed:
    with pytest.raises(JobFailed) as caught:
        await call
    return caught.value


async def test_a_deadline_that_passes(client: inos.Client, node: FakeNode) -> None:
    job = await client.post_job(X, W, reward="1", lifetime=2)
    node.mine()
    node.mine()
    assert (await expect_failure(client.wait_job(job, 5))).code == "job-expired"
    node.mine()  # the chain itself cancels it
    assert (await expect_failure(client.wait_job(job, 5))).code == "job-cancelled"
    assert (await client.job(job)).state == "cancelled"


async def test_a_transaction_that_got_lost(client: inos.Client, node: FakeNode) -> None:
    job = await client.post_job(X, W, reward="1")
    node.mempool.waiting.clear()
    assert (await expect_failure(client.wait_job(job, 10))).code == "job-lost"


async def test_a_wait_without_auto_cancel_leaves_the_job(client: inos.Client, node: FakeNode) -> None:
    error = await expect_failure(client.multiply(X, W, reward="1", timeout_s=0.3, auto_cancel=False))
    assert (error.code, len(node.mempool)) == ("job-timeout", 1)


@pytest.mark.parametrize("job", ["nonsense", "ab", "ab" * 33, "ab" * 31 + "\n "])
async def test_ids_that_are_none(client: inos.Client, job: str) -> None:
    with pytest.raises(ClientError) as caught:
        await client.cancel_job(job)
    assert caught.value.code == "bad-job-id"


async def test_a_claim_that_lapses_and_another_that_delivers(client: inos.Client, node: FakeNode) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.multiply(X, W, reward="1", claim_window=5))
        await asyncio.wait_for(node.has_transactions.wait(), 60)
        node.mine()
        [(job_id, _)] = node.ledger.reader.list_jobs()
        node.act(ClaimJob(job_id))
        for _ in range(6):
            node.mine()
        assert (await client.job(job_id.hex())).state == "open"
        node.work_jobs()
    assert np.array_equal(task.result(), X.astype(np.int32) @ W.astype(np.int32).T)


async def test_a_worker_that_holds_a_job_too_long(client: inos.Client, node: FakeNode) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(expect_failure(client.multiply(X, W, reward="1", timeout_s=0.5)))
        await asyncio.wait_for(node.has_transactions.wait(), 60)
        node.mine()
        [(job_id, _)] = node.ledger.reader.list_jobs()
        node.act(ClaimJob(job_id))
    error = task.result()
    assert (error.code, error.job) == ("job-timeout", job_id.hex())
    assert "may still deliver" in error.hint
    assert len(node.mempool) == 0


async def test_a_result_that_is_nowhere(client: inos.Client, node: FakeNode) -> None:
    job = await client.post_job(X, W, reward="1")
    node.mine()
    node.work_jobs()
    settled = await client.wait_job(job, 5)
    assert settled.y is not None
    del node.store.arrays[bytes.fromhex(settled.y.id)]
    error = await expect_failure(client.result(job, wait_s=0))
    assert (error.code, error.job) == ("result-missing", job)
    assert f"inos job result {job}" in error.hint


async def test_a_job_settled_between_two_questions_has_not_expired() -> None:
    """The job's state is read after the head and never before it, since blocks may come between the two requests."""
    asked: list[str] = []
    job = make_model(models.Job, id="j", state="open", deadline=9)

    class Source:
        async def head(self) -> models.Head:
            asked.append("head")
            return make_model(models.Head, height=8 if len(asked) == 1 else 9)

        async def job(self, name: str) -> models.Job:
            asked.append("job")
            return job if len(asked) == 2 else replace(job, state="settled", closed_at=9)

        async def transaction(self, tx: str) -> models.FoundTransaction:
            raise AssertionError("the job is known")

        @contextlib.asynccontextmanager
        async def follow_tip(self) -> AsyncIterator[Tip]:
            tip = Tip()
            tip.note()
            yield tip

    settled = await JobWatcher(Source()).wait(JobWatch("j", 10, 1))
    assert settled.state == "settled"
    assert asked == ["head", "job"] * 2


async def test_matrices_by_themselves(client: inos.Client) -> None:
    y = (X @ W.T).astype(np.int32)
    ref = await client.put_matrix(y)
    assert ref.id == work.matrix_id(y)
    assert np.array_equal(await client.get_matrix(ref.id.hex()), y)


@pytest.mark.parametrize(
    ("reward", "nano"),
    [("1.5", 1_500_000_000), (Decimal("1.5"), 1_500_000_000), (1.5, 1_500_000_000), (2, 2 * 10**9), (0.1, 10**8)],
)
def test_rewards_in_credits(reward: Any, nano: int) -> None:
    assert read_credits("reward", reward, None) == nano


def test_a_mapped_file_does_not_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.client.operands.CHECKED_AT_ONCE", 1 << 20)
    monkeypatch.setattr("inos.client.operands.HASHED_AT_ONCE", 1 << 20)
    array = np.random.default_rng(8).integers(-64, 64, (64 << 10, 1 << 10), np.int8)
    np.save(tmp_path / "X.npy", array)
    expected = work.matrix_ref(array)
    del array
    before = read_resident_bytes()
    mapped = to_operand(np.load(tmp_path / "X.npy", mmap_mode="r"), "X")
    assert make_ref(mapped) == expected
    assert read_resident_bytes() - before < 16 << 20


def test_integers_of_any_width_are_the_same_operand(tmp_path: Path) -> None:
    array = np.random.default_rng(8).integers(-64, 64, (50, 70))
    for dtype in (np.int8, np.int64, ">i2"):
        np.save(tmp_path / "X.npy", array.astype(dtype))
        found = to_operand(np.load(tmp_path / "X.npy", mmap_mode="r"), "X")
        assert make_ref(found) == work.matrix_ref(array.astype(np.int8))


def read_resident_bytes() -> int:
    """Return the resident bytes as the system counts them now, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
