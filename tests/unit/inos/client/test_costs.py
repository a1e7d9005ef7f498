"""inos.matmul by paid jobs: the caller hears the number, the price and the time before anything is paid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inos
from inos.client.costs import Status, ignore_status
from inos.client.errors import ClientError, JobFailed
from inos.primitives.errors import InosError
from inos.testing import TestChain
from inos.testing.chain import PHRASE
from inos.wallet.keystore import KeystoreInfo, ScryptCost, Secret, encode_keystore

A = np.random.default_rng(1).standard_normal((16, 32)).astype(np.float32)
B = np.random.default_rng(2).standard_normal((32, 8)).astype(np.float32)
LARGE = np.random.default_rng(3).standard_normal((128, 128))
"""A product of this matrix is too large for one job that holds all its slices."""
CREDIT = 10**9


@pytest.fixture
def heard() -> list[Status]:
    return []


def connect(chain: TestChain) -> inos.BlockingClient:
    return inos.connect(chain.url, wallet=chain.accounts[0].key)


def test_the_plan_comes_first_and_holds(inos_devnet: TestChain, heard: list[Status]) -> None:
    alice = inos_devnet.accounts[0]
    inos_devnet.mine()
    unpaid: list[int] = []

    def hear(status: Status) -> None:
        if not heard:
            unpaid.append(len(inos_devnet.call("job_list")["jobs"]))
        heard.append(status)

    before = inos_devnet.get_balance(alice)
    with connect(inos_devnet) as client:
        product = inos.matmul(LARGE, LARGE, client=client, on_status=hear)
    assert np.allclose(product, LARGE @ LARGE)
    plan, jobs = heard[0].plan, inos_devnet.call("job_list", limit=200)["jobs"]
    assert unpaid == [0]
    assert plan.jobs == len(jobs) == heard[-1].done > 1
    assert plan.expected_s is not None
    spent = before - inos_devnet.get_balance(alice)
    assert spent == pytest.approx(plan.cost, rel=0.05)
    assert f"{plan.jobs} jobs" in plan.describe()
    assert "credits" in plan.describe()


def test_a_small_product_is_one_job_also_under_a_batch(inos_devnet: TestChain, heard: list[Status]) -> None:
    batch = np.stack([A, A[::-1], -A, A * 3])
    with connect(inos_devnet) as client:
        product = inos.matmul(batch, B, client=client, on_status=heard.append)
    assert np.allclose(product, batch @ B, rtol=1e-5)
    assert heard[0].plan.jobs == heard[-1].done == 1


def test_by_default_the_plan_is_printed(inos_devnet: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    with connect(inos_devnet) as client:
        inos.matmul(np.ones((2, 3), int), np.ones((3, 2), int), client=client)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("inos.matmul: 1 job, 1 ticket: ")
    assert lines[0].endswith("nobody mines here")  # a new chain has no block yet
    assert lines[-1].startswith("inos.matmul: 1 of 1 job done after ")


@pytest.mark.parametrize(
    ("options", "code"),
    [({"max_cost": "0.000001"}, "too-expensive"), ({"reward": 9_000}, "insufficient-balance")],
)
def test_what_is_too_dear_is_not_begun(inos_devnet: TestChain, options: dict[str, Any], code: str) -> None:
    with connect(inos_devnet) as client, pytest.raises(ClientError) as refused:
        inos.matmul(LARGE, LARGE, client=client, on_status=ignore_status, **options)
    assert refused.value.code == code
    assert inos_devnet.call("job_list")["jobs"] == []


def test_a_limit_above_the_price_is_kept(inos_devnet: TestChain, heard: list[Status]) -> None:
    alice = inos_devnet.accounts[0]
    with connect(inos_devnet) as client:
        inos.matmul(A, B, client=client, on_status=heard.append)
        most, before = heard[0].plan.cost + CREDIT // 100, inos_devnet.get_balance(alice)
        inos.matmul(A, B, client=client, max_cost=most / CREDIT, on_status=ignore_status)
    assert before - inos_devnet.get_balance(alice) <= most


def test_without_a_miner_the_wait_ends_and_says_why(inos_chain_factory: Callable[..., TestChain]) -> None:
    chain = inos_chain_factory(instant=False)
    with connect(chain) as client, pytest.raises(JobFailed) as failed:
        inos.matmul(A[:1], B, client=client, timeout_s=1.5, on_status=ignore_status)
    assert failed.value.code == "job-timeout"
    assert "nobody mines here" in failed.value.hint


def test_jobs_behind_the_time_limit_are_not_posted(
    inos_chain_factory: Callable[..., TestChain], heard: list[Status]
) -> None:
    chain = inos_chain_factory(instant=False)
    with connect(chain) as client, pytest.raises(InosError):
        inos.matmul(LARGE, LARGE, client=client, timeout_s=1, on_status=heard.append)
    jobs_at_once = 8
    assert heard[0].plan.jobs > jobs_at_once
    assert chain.call("chain_head")["pool"] <= 2 * jobs_at_once  # each job and its cancellation


@pytest.fixture
def wallet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inos_devnet: TestChain) -> Path:
    """Make a wallet "default" that holds the first account of the test chain."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "inos" / "wallets" / "default.keystore.json"
    path.parent.mkdir(parents=True)
    info = KeystoreInfo("devnet", inos_devnet.network.hrp, inos_devnet.accounts[0].address)
    path.write_bytes(encode_keystore(Secret(PHRASE, ""), "pw", info, ScryptCost(2, 8, 1)))
    return path


def test_a_wallet_of_this_machine_pays(inos_devnet: TestChain, wallet: Path) -> None:
    address = inos_devnet.accounts[0].address
    with inos.connect(inos_devnet.url, wallet="default", password="pw") as client:
        assert client.get_address() == address
        assert np.array_equal(client.multiply(np.eye(3, dtype=int), np.eye(3, dtype=int)), np.eye(3))
    with inos.BlockingClient(inos_devnet.url, wallet=wallet, password="pw") as client:
        assert client.get_address() == address
    with pytest.raises(InosError) as refused:
        inos.Client(inos_devnet.url, wallet="default", password="no")
    assert refused.value.code == "wrong-password"
    with pytest.raises(InosError) as refused:
        inos.connect(inos_devnet.url, wallet="absent", password="pw")
    assert refused.value.code == "keystore-missing"


@pytest.mark.usefixtures("wallet")
def test_an_address_alone_pays_with_the_default_wallet(inos_devnet: TestChain, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClientError) as refused:
        inos.matmul(A, B, client=inos_devnet.url)
    assert (refused.value.code, "password=" in refused.value.hint) == ("no-password", True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "pw")
    product = inos.matmul(A[:2], B, client=inos_devnet.url, on_status=ignore_status)
    assert np.allclose(product, A[:2] @ B)
    with pytest.raises(ClientError) as refused:
        inos.matmul(A, B, client=object())  # type: ignore[arg-type]
    assert (refused.value.code, "inos.connect" in refused.value.hint) == ("bad-client", True)
