"""`inos job` and `inos rpc` as typed, against a real RPC server on a node in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.cli.common import wallets as _wallets
from inos.cli.job.follow import _describe_state
from inos.genesis.loading import derive_devnet, load_network
from inos.primitives.units import Nano, TimeMs
from inos.rpc import RpcServer
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key
from inos.wallet.keystore import ScryptCost
from support.fake_node import WORKER, FakeNode
from support.rpc_served import serve

PHRASE = "test test test test test test test test test test test junk"
OWNER = derive_key(PHRASE)
FUNDS = 10 * 10**9
RNG = np.random.default_rng(3)
X = RNG.integers(-64, 64, (17, 40))
W = RNG.integers(-64, 64, (9, 40))

Run = Callable[..., Any]


@pytest.fixture
def genesis_file(tmp_path: Path) -> Path:
    path = tmp_path / "net.json"
    funds = {OWNER.address: Nano(FUNDS), WORKER.address: Nano(FUNDS)}
    path.write_text(derive_devnet("devnet", TimeMs(1_700_000_000_000), funds))
    return path


@pytest.fixture
def node(genesis_file: Path) -> FakeNode:
    return FakeNode(load_network(str(genesis_file)))


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


@pytest.fixture
async def life(node: FakeNode) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(node.live())
        yield
        task.cancel()


@pytest.fixture
async def run(server: RpcServer, genesis_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(_wallets, "SCRYPT_COST", ScryptCost(n=2**4))
    monkeypatch.setenv("INOS_NETWORK", str(genesis_file))
    monkeypatch.setenv("INOS_RPC", server.url)
    monkeypatch.setenv("INOS_WALLET_DIR", str(tmp_path / "wallets"))
    monkeypatch.chdir(tmp_path)
    for name, content in (("password", "correct horse"), ("phrase", PHRASE)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "W.npy", W)
    runner = CliRunner()

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(runner.invoke, cli.app, list(arguments))

    made = await run("wallet", "restore", "--phrase-file", "phrase", "--password-file", "password")
    assert made.exit_code == 0, made.output
    return run


def list_results(folder: Path) -> list[str]:
    """Return the files named after the result, temporary ones included."""
    return [path.name for path in folder.glob("*Y.npy*")]


POST = ("job", "post", "X.npy", "W.npy", "--reward", "1.5", "--password-file", "password", "--json")


def read(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def read_error(result: Any) -> str:
    assert result.exit_code == 1, result.output
    return str(json.loads(result.stdout)["error"]["code"])


@pytest.mark.usefixtures("life")
async def test_a_job_from_two_files_to_its_result(run: Run, tmp_path: Path) -> None:
    posted = read(await run(*POST))
    assert len(posted["id"]) == 64
    followed = await run("job", "result", posted["id"], "-o", "Y.npy", "--wait", "--timeout", "30")
    assert followed.stderr.splitlines()[-1].endswith("  settled"), followed.output
    done = await run("job", "result", posted["id"], "-o", "Y.npy", "--wait", "--timeout", "30", "--json")
    assert read(done) == {"id": posted["id"], "file": "Y.npy", "rows": 17, "cols": 9, "is_checked": True}
    y = np.load(tmp_path / "Y.npy")
    assert y.dtype == np.int32
    assert np.array_equal(y, X @ W.T)
    shown = read(await run("job", "show", posted["id"], "--json"))
    assert (shown["state"], shown["reward"]) == ("settled", "1500000000")
    page = read(await run("job", "list", "--state", "settled", "--worker", shown["worker"], "--json"))
    assert [job["id"] for job in page["jobs"]] == [posted["id"]]
    text = await run("job", "show", posted["id"])
    assert "1.5 credits" in text.output
    assert "X 17 x 40 times W 9 x 40 transposed" in text.output
    listed = (await run("job", "list")).output.splitlines()
    short = posted["id"][:12]
    assert listed[0].startswith("JOB           STATE")
    assert listed[1].startswith(f"{short}  settled ")
    assert max(map(len, listed)) <= 80
    assert (await run("job", "show", short[:6].upper())).output == text.output
    assert read(await run("job", "watch", short, "--json"))["id"] == posted["id"]
    assert (await run("wallet", "transaction", short)).output.startswith("included")
    assert "(1 of 1 settled, 0 lapsed, 0 shown wrong)" in text.output
    events = read(await run("job", "history", posted["id"], "--json"))["events"]
    assert [event["event"] for event in events] == ["posted", "claimed", "settled"]
    told = (await run("job", "history", posted["id"])).output
    assert f"settled: 1.5 credits to {shown['worker']}" in told
    assert read(await run("job", "record", shown["worker"], "--json"))["worker"]["settled"] == 1
    told = (await run("job", "record", shown["worker"])).output
    assert "1 claimed: 1 settled, 0 lapsed, 0 shown wrong, 0 under way" in told
    assert "no jobs" in told
    told = (await run("job", "record", shown["poster"])).output
    assert "no claims" in told
    assert "1 posted: 1 settled, 0 cancelled; 0 claims lapsed" in told
    refused = await run("job", "cancel", posted["id"], "--password-file", "password", "--json")
    assert read_error(refused) == "job-closed"


@pytest.mark.usefixtures("life")
async def test_posting_and_waiting_in_one(run: Run, tmp_path: Path) -> None:
    done = await run(*POST[:-1], "--yes", "-o", "Y.npy", "--timeout", "30")
    assert done.exit_code == 0, done.output
    assert "checked and written to Y.npy" in done.output
    assert np.array_equal(np.load(tmp_path / "Y.npy"), X @ W.T)
    assert list_results(tmp_path) == ["Y.npy"]


@pytest.mark.usefixtures("life")
async def test_a_wrong_result_is_not_written(run: Run, node: FakeNode, tmp_path: Path) -> None:
    def spoil(y: Any) -> Any:
        y[0, 0] -= 1
        return y

    node.spoil = spoil
    (tmp_path / "Y.npy").write_bytes(b"as before")
    done = await run(*POST, "-o", "Y.npy", "--timeout", "30")
    assert read_error(done) == "wrong-result"
    assert (tmp_path / "Y.npy").read_bytes() == b"as before"
    assert list_results(tmp_path) == ["Y.npy"]


async def test_a_job_taken_back(run: Run, node: FakeNode) -> None:
    posted = read(await run(*POST))
    node.mine()
    sent = read(await run("job", "cancel", posted["id"], "--password-file", "password", "--json"))
    node.mine()
    assert read(await run("job", "show", posted["id"], "--json"))["state"] == "cancelled"
    assert sent["job"] == posted["id"]


@pytest.mark.parametrize(
    ("x", "w", "code", "words"),
    [
        (np.full((3, 4), 64), np.zeros((3, 4), int), "entry-out-of-range", "X.npy[0, 0] is 64"),
        (np.zeros((3, 4), int), np.zeros((3, 5), int), "depth-mismatch", "X is 3 x 4 and W is 3 x 5"),
        (np.zeros((3, 4)), np.zeros((3, 4), int), "bad-dtype", "X.npy"),
        (np.zeros((3, 4), int), np.zeros(4, int), "bad-shape", "W.npy"),
    ],
)
async def test_operands_are_checked_first(
    run: Run, node: FakeNode, tmp_path: Path, x: Any, w: Any, code: str, words: str
) -> None:
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "W.npy", w)
    result = await run(*POST)
    assert read_error(result) == code
    assert words in json.loads(result.stdout)["error"]["message"]
    assert (node.store.arrays, len(node.mempool)) == ({}, 0)


async def test_an_optimistic_job_with_a_bond_of_its_own(run: Run, node: FakeNode, tmp_path: Path) -> None:
    node.seat_jury()
    posted = read(await run(*POST, "--mode", "optimistic", "--bond", "2.5"))["id"]
    node.mine()
    shown = read(await run("job", "show", posted, "--json"))
    assert (shown["mode"], shown["bond"], shown["rows_done"]) == ("optimistic", "2500000000", None)
    assert "optimistic, a bond of 2.5 credits" in (await run("job", "show", posted)).output
    node.work_jobs()
    assert read(await run("job", "show", posted, "--json"))["state"] == "delivered"
    early = await run("job", "result", posted, "-o", "Y.npy", "--json")
    assert read(early)["is_checked"] is True
    assert np.array_equal(np.load(tmp_path / "Y.npy"), X @ W.T)
    assert posted[:12] in (await run("job", "list", "--state", "delivered")).output
    assert read_error(await run("job", "cancel", posted, "--password-file", "password", "--json")) == "job-not-open"
    dispute = ("job", "dispute", posted, "--password-file", "password")
    asked = await run(*dispute)
    assert "Stake 2.8125 credits, of which 0.3125 are the jury's fee" in asked.output
    assert "not-confirmed" in asked.output
    sent = read(await run(*dispute, "--yes", "--json"))
    assert (sent["stake"], sent["fee"]) == ("2812500000", "312500000")
    node.mine()
    assert read(await run("job", "show", posted, "--json"))["state"] == "disputed"
    assert read_error(await run(*dispute, "--yes", "--json")) == "job-not-delivered"
    assert posted[:12] in (await run("job", "list", "--state", "disputed")).output
    assert "disputed, 2.8125 credits at stake" in (await run("job", "history", posted)).output
    assert read_error(await run(*POST, "--mode", "blind")) == "bad-mode"


def test_what_a_watched_job_tells() -> None:
    found = {"worker": "dinos1w", "claim": {"expires_at": 90}, "x": {"rows": 1000}, "rows_done": None, "closed_at": 91}
    assert _describe_state("claimed", found) == "claimed by dinos1w, to be delivered by height 90"
    assert _describe_state("claimed", found | {"rows_done": 499}).endswith("; 45 % of its rows made by this node")
    assert "paid at height 90 unless it is shown wrong" in _describe_state("delivered", found)
    assert _describe_state("disputed", found) == "disputed: a jury decides about the result of dinos1w"
    assert "the reward was burned" in _describe_state("undecided", found)
    assert _describe_state("settled", found) == "settled at height 91 by dinos1w"


async def test_files_that_are_no_matrices(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.array([{"a": 1}], object), allow_pickle=True)
    assert read_error(await run(*POST)) == "bad-npy"
    (tmp_path / "X.npy").write_bytes(b"PK\x03\x04 a zip archive, as .npz files are")
    assert read_error(await run(*POST)) == "bad-npy"
    np.save(tmp_path / "X.npy", X)
    whole = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(whole[:-1])
    assert read_error(await run(*POST)) == "bad-npy"
    (tmp_path / "X.npy").unlink()
    assert read_error(await run(*POST)) == "file-unreadable"


async def test_a_reward_that_cannot_be_paid(run: Run, node: FakeNode) -> None:
    for reward, code in (("11", "insufficient-balance"), ("0", "bad-amount"), ("one", "bad-amount")):
        result = await run("job", "post", "X.npy", "W.npy", "--reward", reward, "--password-file", "password", "--json")
        assert read_error(result) == code
    assert (node.store.arrays, len(node.mempool)) == ({}, 0)


async def test_another_network_is_refused(run: Run, node: FakeNode) -> None:
    result = await run(*POST, "--network", "testnet")
    assert read_error(result) == "other-network"
    assert len(node.mempool) == 0


async def test_a_place_that_cannot_be_written(run: Run, node: FakeNode) -> None:
    result = await run("job", "post", *POST[2:], "-o", "missing/Y.npy")
    assert read_error(result) == "file-unwritable"
    assert len(node.mempool) == 0, "found out before anything was paid"


async def test_an_unknown_job(run: Run) -> None:
    assert read_error(await run("job", "show", "00" * 32, "--json")) == "job-unknown"
    assert read_error(await run("job", "show", "00", "--json")) == "bad-id"
    assert read_error(await run("job", "result", "00" * 32, "-o", "Y.npy", "--json")) == "job-unknown"


async def test_any_method(run: Run, server: RpcServer, tmp_path: Path) -> None:
    head = read(await run("rpc", "chain_head"))
    assert head["height"] == 0
    assert read(await run("rpc", "chain_getBlock", "[0]", "--url", server.url))["id"] == head["id"]
    address = encode_address("dinos", OWNER.address)
    account = read(await run("rpc", "state_getAccount", json.dumps({"address": address}), "--json"))
    assert account["balance"] == str(FUNDS)


async def test_protected_methods_by_token(run: Run, tmp_path: Path) -> None:
    assert read_error(await run("rpc", "miner_status", "--json")) == "unauthorized"
    assert read(await run("rpc", "miner_status", "--data-dir", str(tmp_path)))["state"] == "stopped"
    assert read(await run("rpc", "miner_start", "--token-file", "rpc.token"))["state"] == "filler"
    assert read_error(await run("rpc", "miner_status", "--token-file", "none", "--json")) == "token-unreadable"


@pytest.mark.parametrize("params", ["1", "{", "nonsense", "null", '"text"'])
async def test_parameters_that_are_none(run: Run, params: str) -> None:
    assert read_error(await run("rpc", "chain_getBlock", params, "--json")) == "bad-params"


async def test_an_unknown_method(run: Run) -> None:
    result = await run("rpc", "chain_nothing", "--json")
    assert read_error(result) == "method-not-found"
    plain = await run("rpc", "chain_nothing")
    assert plain.exit_code == 1
    assert "error [method-not-found]" in plain.stderr
    assert "rpc.discover" in plain.stderr


async def test_a_quote_says_what_others_paid_and_post_takes_it(run: Run, node: FakeNode) -> None:
    first = await run("job", "quote", "17", "9", "40", "--json")
    assert first.exit_code == 0, first.output
    quote = json.loads(first.output)
    assert (quote["tickets"], quote["sample"], quote["suggested_reward"]) == (2, 0, "2000000")
    alone = await run("job", "quote", "17", "9", "40")
    assert "takes     nobody mines here" in alone.output
    posted = await run("job", "post", "X.npy", "W.npy", "--reward", "0.5", "-y", "--password-file", "password")
    assert posted.exit_code == 0, posted.output
    node.mine()
    node.work_jobs()
    shown = await run("job", "quote", "X.npy", "W.npy")
    assert "0.5 credits, per ticket as in the last settled job; low 0.5, fast 0.5" in shown.output
    again = await run("job", "post", "X.npy", "W.npy", "-y", "--password-file", "password", "--json")
    node.mine()
    job = json.loads(again.output)["id"]
    assert json.loads((await run("job", "show", job, "--json")).output)["reward"] == str(5 * 10**8)


async def test_watching_ends_when_the_job_is_settled(run: Run, node: FakeNode, life: None) -> None:
    posted = await run("job", "post", "X.npy", "W.npy", "-y", "--password-file", "password", "--json")
    watched = await run("job", "watch", json.loads(posted.output)["id"], "--timeout", "30")
    assert watched.exit_code == 0, watched.output
    assert "settled at height" in watched.output.splitlines()[-1]
    unknown = await run("job", "watch", "ab" * 32, "--timeout", "30")
    assert unknown.exit_code == 1
    assert "[job-unknown]" in unknown.output
    impatient = await run("job", "watch", "ab" * 32, "--timeout", "1")
    assert "still waiting to be mined" in impatient.output


@pytest.mark.parametrize("command", ["show", "history", "watch", "cancel"])
@pytest.mark.parametrize(("text", "code"), [("nonsense", "bad-id"), ("abc", "bad-id"), ("abcd", "job-unknown")])
async def test_what_is_no_job_is_said_in_words(run: Run, command: str, text: str, code: str) -> None:
    refused = await run("job", command, text, "--json")
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == code
    assert "inos job list" in error["hint"]
    assert "[0-9a-f]" not in error["message"]


async def test_digits_that_begin_several_ids_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["abcd" + "1" * 60, "abcd" + "2" * 60]
    found = {"matches": [{"kind": "job", "id": one} for one in ids], "is_complete": True}
    monkeypatch.setattr("inos.cli.common.ids.call_rpc", lambda *_: found)
    error = json.loads((await run("job", "show", "abcd", "--json")).stdout)["error"]
    assert (error["code"], ids[1] in error["message"]) == ("id-ambiguous", True)
