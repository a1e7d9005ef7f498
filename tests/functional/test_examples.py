"""The examples do what they say, on a chain of their own."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import inos
from inos.primitives.units import NANO_PER_CREDIT
from inos.testing import TestChain
from inos.testing.chain import PHRASE

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_wallet_service_sees_orders_paid(inos_devnet: TestChain, tmp_path: Path) -> None:
    def make_service() -> web.Application:
        app: web.Application = load("wallet_service").make_app(
            inos.Client(inos_devnet.url), PHRASE, tmp_path / "orders.db"
        )
        return app

    service = make_service()
    async with TestClient(TestServer(service)) as shop:

        async def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
            response: aiohttp.ClientResponse = await shop.request(method, path, **options)
            return response.status, await response.json()

        status, order = await ask("POST", "/orders", json={"amount": "1.5"})
        assert (status, order["order"], order["amount"]) == (201, 0, "1.5")
        _, other = await ask("POST", "/orders", json={"amount": 2, "message": "Invoice 7"})
        assert other["link"] == f"inos:{other['address']}?amount=2&message=Invoice%207"
        async with shop.get("/orders/1/qr.svg") as picture:
            assert (picture.status, picture.content_type) == (200, "image/svg+xml")
        assert other["address"] != order["address"]
        assert (await ask("GET", "/orders/0"))[1]["state"] == "waiting"
        async with inos_devnet.client(inos_devnet.accounts[0]) as customer:
            await customer.transfer(order["address"], "1.5")
            assert (await ask("GET", "/orders/0"))[1]["state"] == "seen"
            await customer.transfer(inos_devnet.accounts[1].address, "1")  # one block more
        assert (await ask("GET", "/orders/0"))[1] == {
            "order": 0, "state": "paid", "address": order["address"], "received": "1.4999",
        }  # fmt: skip
        assert (await ask("GET", "/orders/1"))[1]["state"] == "waiting"
        assert [(await ask(*wrong))[0] for wrong in (("GET", "/orders/7"), ("GET", "/orders/x"))] == [404, 404]
        for wrong_order in ("{}", '{"amount": "-1"}', json.dumps({"amount": 1, "message": "x" * 300})):
            assert (await ask("POST", "/orders", data=wrong_order))[0] == 400
    async with TestClient(TestServer(make_service())) as restarted:
        async with restarted.get("/orders/0") as response:
            assert (await response.json())["state"] == "paid"
        async with restarted.post("/orders", json={"amount": 1}) as response:
            third = await response.json()
        assert third["order"] == 2
        assert third["address"] not in (order["address"], other["address"])


def test_the_bot_turns_pairs_of_files_into_products(inos_devnet: TestChain, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name, rows in (("small", 20), ("dear", 4000)):
        np.save(tmp_path / f"{name}.x.npy", rng.integers(-64, 64, (rows, 1000), np.int8))
        np.save(tmp_path / f"{name}.w.npy", rng.integers(-64, 64, (30, 1000), np.int8))
    np.save(tmp_path / "lonely.x.npy", np.ones((2, 2), np.int8))
    (tmp_path / "phrase").write_text(PHRASE)
    command = [sys.executable, str(EXAMPLES / "job_bot.py"), "--rpc", inos_devnet.url, "--once"]
    command += ["--phrase-file", str(tmp_path / "phrase"), "--most", "20", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    x, w, y = (np.load(tmp_path / f"small.{part}.npy").astype(np.int64) for part in "xwy")
    assert np.array_equal(y, x @ w.T)
    assert "dear.y.npy: costs" in done.stdout
    assert sorted(name for name in os.listdir(tmp_path) if ".y." in name) == ["small.y.npy"]


async def test_the_price_bot_follows_the_market_and_forgets_nothing(tmp_path: Path) -> None:
    """Each step is a bot's first after a kill: it has only the chain and the folder."""
    rng, example = np.random.default_rng(2), load("price_bot")
    for name in "ab":
        np.save(tmp_path / f"{name}.x.npy", rng.integers(-64, 64, (20, 1000), np.int8))
        np.save(tmp_path / f"{name}.w.npy", rng.integers(-64, 64, (30, 1000), np.int8))
    with TestChain(accounts=1, works=False) as chain:

        async def step(**options: Any) -> list[str]:
            terms: dict[str, Any] = {"least": 10**9, "most": 10**14, "patience": 3, "at_once": 1, "reserve": 10**9}
            async with chain.client(chain.accounts[0]) as client:
                done: list[str] = await example.PriceBot(client, tmp_path, **terms | options).step()
                return done

        def list_prices() -> list[int]:
            jobs = chain.call("job_list", order="newest")["jobs"]
            return [int(job["reward"]) for job in jobs]

        assert "posted" in (await step())[0]
        assert await step() == []  # at_once
        (first,) = list_prices()
        chain.mine(3)
        assert "cancelled" in (await step())[0]
        assert "posted" in (await step())[0]
        second = list_prices()[0]
        assert second == pytest.approx(first * 1.2, rel=0.01)
        chain.mine(3)
        await step(most=10**9)
        await step(most=10**9)
        assert list_prices()[0] < first  # never above the most
        chain.do_jobs()
        done = await step(at_once=2)
        assert done[0].startswith("a.y.npy: multiplied for")
        assert done[1].startswith("b.x.npy: posted")
        x, w, y = (np.load(tmp_path / f"a.{part}.npy").astype(np.int64) for part in "xwy")
        assert np.array_equal(y, x @ w.T)
        chain.do_jobs()
        await step()
        assert (tmp_path / "b.y.npy").exists()
        assert len(list_prices()) == 4
        (tmp_path / "b.y.npy").unlink()
        assert "multiplied" in (await step(reserve=10**15))[0]  # the result is fetched again, not paid again
        np.save(tmp_path / "c.x.npy", np.ones((16, 16), np.int8))
        np.save(tmp_path / "c.w.npy", np.ones((16, 16), np.int8))
        assert "credits are left" in (await step(reserve=10**15))[0]
        assert len(list_prices()) == 4


def test_the_price_bot_runs_as_a_program(inos_devnet: TestChain, tmp_path: Path) -> None:
    for part in "xw":
        np.save(tmp_path / f"a.{part}.npy", np.ones((16, 64), np.int8))
    done = run_example(inos_devnet, tmp_path, "price_bot", "--once", "--pause", "0.05", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "a.y.npy"), np.full((16, 16), 64))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notebook", ("credits suggested", "1 settled")),
        ("learning", ("another id: True", "refused: step 45 is wrong: loss", "the same id as before: True")),
        (
            "evolution",
            (
                "refused: example",
                "of points that it never saw",
                "2 takes generation 39",
                "{'right'}",
                "wrong-fitness",
                "unchecked",
            ),
        ),
        (
            "federated",
            ("the liar has 0.0 and the free rider 0.5", "VerifiedFederation(rounds=6", "refused: round 6 ends"),
        ),
        ("economics", ("burns 0.125 of a subsidy", "bonus 0.00: honest earns most", "bonus 0.75: caching earns most")),
    ],
)
def test_the_notebooks_run_from_top_to_bottom(tmp_path: Path, name: str, told: tuple[str, ...]) -> None:
    """The test runs their cells as one program; calls that a notebook awaits at the top level are awaited here too."""
    if name == "learning":
        pytest.importorskip("torch", reason="the extra `torch` is not installed")
        pytest.importorskip("sklearn", reason="the extra `demo` is not installed")
    if name == "federated":
        pytest.importorskip("flwr", reason="the extra `learn` is not installed")
        pytest.importorskip("sklearn", reason="the extra `demo` is not installed")
    cells = json.loads((EXAMPLES / f"{name}.ipynb").read_text())["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    body = "\n".join(f"    {line}" for line in source.splitlines())
    (tmp_path / "run.py").write_text(f"import asyncio\nasync def main():\n{body}\nasyncio.run(main())\n")
    command = [sys.executable, str(tmp_path / "run.py")]
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run(
        command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    for each in told:
        assert each in done.stdout


def run_example(
    chain: TestChain, folder: Path, name: str, *arguments: str, limit_s: float = 250, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    (folder / "phrase").write_text(PHRASE)
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--rpc", chain.url]
    command += ["--phrase-file", str(folder / "phrase"), *arguments]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    if path is not None:
        environment |= {"PYTHONPATH": str(path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit_s, check=False)


def test_a_miner_classifies_digits_as_this_machine_does(inos_devnet: TestChain, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra `demo` is not installed")
    done = run_example(inos_devnet, tmp_path, "classify")
    assert done.returncode == 0, done.stderr
    assert "equal to the run on this machine, bit for bit" in done.stdout
    floats, integers = (int(found) for found in re.findall(r"right .*: (\d+) of 99 images", done.stdout))
    assert floats >= 93
    assert abs(floats - integers) <= 1
    task = inos_devnet.call("job_list", limit=1)["jobs"][0]
    assert (task["kind"], task["state"]) == ("program", "settled")


def test_a_function_is_a_service_at_a_price(inos_devnet: TestChain, tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    (tmp_path / "text").write_text("to be or not to be")
    call = (str(EXAMPLES / "functions" / "words-c.wasm"), str(tmp_path / "text"), "2")
    done = run_example(inos_devnet, tmp_path, "function_service", "--check", "--most", "1000", *call)
    assert (done.returncode, done.stdout) == (0, "be 2\nto 2\n"), done.stderr
    assert "checked on this machine" in done.stderr
    dear = run_example(inos_devnet, tmp_path, "function_service", "--most", "0.001", *call)
    assert dear.returncode == 1
    assert "at most 0.001 are allowed" in dear.stderr
    assert len(inos_devnet.call("job_list", limit=5)["jobs"]) == 1


@pytest.mark.timeout(300)
def test_a_language_model_is_asked_and_answers_as_this_machine_does(
    inos_chain_factory: Callable[..., TestChain], tmp_path: Path
) -> None:
    """The kept model is asked again without torch: the second run would fail if it imported it."""
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    chain = inos_chain_factory(funds=10**6 * NANO_PER_CREDIT)  # blocks are so easy here that a burn is high
    model = tmp_path / "model"
    ask = ("language_model", "--model", str(model), "--steps", "30", "The statement", "if")
    first = run_example(chain, tmp_path, *ask)
    assert first.returncode == 0, first.stderr
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    again = run_example(chain, tmp_path, *ask, path=tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert "equal to the run on this machine, bit for bit" in first.stdout
    tokens = [line.split()[1:] for line in first.stdout.splitlines() if line.startswith("tokens ")]
    assert [len(each) for each in tokens] == [96, 96]
    assert "\nThe statement" in first.stdout
    letters = json.loads((model / "letters.json").read_text())
    assert "".join(letters[int(token)] for token in tokens[0]).startswith("he statement")
    tasks = chain.call("job_list", limit=5)["jobs"]
    assert [(task["kind"], task["state"]) for task in tasks] == [("program", "settled")] * 2


def test_a_controller_is_evolved_and_shown_at_work(tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    command = [sys.executable, str(EXAMPLES / "evolve_cartpole.py"), "--folder", str(tmp_path / "pole")]
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--generations", "5"], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    fitness = [int(found) for found in re.findall(r"^generation +\d+  fitness (\d+)$", done.stdout, re.MULTILINE)]
    assert len(fitness) == 5
    assert fitness == sorted(fitness)
    stands = [float(found) for found in re.findall(r"stands for ([\d.]+) s", done.stdout)]
    assert stands[0] < stands[-1] == 10.0
    again = subprocess.run(
        [*command, "--generations", "1", "--no-watch"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert again.stdout.startswith("generation      5  fitness ")


@pytest.fixture
def federated() -> list[str]:
    pytest.importorskip("flwr", reason="the extra `learn` is not installed")
    pytest.importorskip("sklearn", reason="the extra `demo` is not installed")
    return [sys.executable, str(EXAMPLES / "federated.py"), "--liars", "2", "--rounds", "8"]


def run_federated(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def read_accuracy(done: subprocess.CompletedProcess[str]) -> float:
    return float(re.findall(r"^accuracy ([\d.]+)%$", done.stdout, re.MULTILINE)[0])


@pytest.mark.long
def test_a_federation_learns_though_a_fifth_of_its_clients_lie(
    inos_devnet: TestChain, tmp_path: Path, federated: list[str]
) -> None:
    (tmp_path / "secret").write_text(inos_devnet.accounts[0].secret.hex())
    pay = ["--rpc", inos_devnet.url, "--key-file", str(tmp_path / "secret"), "--budget", "5", "--depth", "0"]
    paid = run_federated([*federated, *pay], tmp_path)
    assert read_accuracy(paid) > 80
    assert "verified: VerifiedFederation(rounds=8" in paid.stdout
    credits = [float(found) for found in re.findall(r"has ([\d.]+) credits", paid.stdout)]
    assert credits[:2] == [0, 0]
    assert all(3 < each <= 4 for each in credits[2:])
    assert read_accuracy(run_federated([*federated, "--fedavg"], tmp_path)) < 40


TORCH = {
    "__init__": "class Tensor: ...\nclass Generator: ...\ndef manual_seed(n): raise SystemExit('training began')",
    "nn/__init__": "class Module: ...\nclass Linear(Module): ...",
    "nn/functional": "",
}
"""As much of torch as the example imports, which is too large to be installed for the tests."""


@pytest.mark.parametrize(
    "name", ["wallet_service", "job_bot", "transformer", "classify", "function_service", "language_model"]
)
def test_without_a_node_each_ends_with_a_sentence_before_it_begins(tmp_path: Path, name: str) -> None:
    for module, source in TORCH.items():
        path = tmp_path / "torch" / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    (tmp_path / "phrase").write_text(PHRASE)
    dead, phrase = "http://127.0.0.1:1", ("--phrase-file", str(tmp_path / "phrase"))
    arguments = {
        "wallet_service": ("--rpc", dead, "--port", "0", *phrase),
        "job_bot": ("--rpc", dead, *phrase, str(tmp_path)),
        "transformer": (dead,),
        "classify": ("--rpc", dead, *phrase),
        "language_model": ("--rpc", dead, *phrase, "if"),
        "function_service": (
            "--rpc",
            dead,
            *phrase,
            str(EXAMPLES / "functions" / "words-c.wasm"),
            str(tmp_path / "phrase"),
        ),
    }[name]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no node answers at {dead}"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["wallet_service", "job_bot", "classify", "function_service", "language_model"])
def test_each_says_how_it_is_used(name: str) -> None:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--rpc" in shown
