"""Tests `inos matmul`: files of numbers are multiplied here, or by jobs once their price was confirmed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from inos.cli.common import wallets as _wallets
from inos.cli.main import app
from inos.testing import TestChain
from inos.testing.chain import PHRASE
from inos.wallet.keystore import ScryptCost

RNG = np.random.default_rng(4)
A, B = RNG.standard_normal((3, 5)), RNG.standard_normal((5, 2))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("A.npy", A)
    np.save("B.npy", B)


def run(*arguments: str, input: str | None = None, **environment: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env=environment, input=input)


def test_this_machine_multiplies_without_a_node() -> None:
    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("written to C.npy: 3 x 2 float64, in ")
    assert np.allclose(np.load("C.npy"), A @ B)
    np.save("B.npy", B.T)
    turned = run("matmul", "A.npy", "B.npy", "--transposed", "-o", "D.npy", "--json")
    assert json.loads(turned.stdout) | {"seconds": 0} == {
        "file": "D.npy", "shape": [3, 2], "dtype": "float64", "jobs": 0, "cost": "0", "seconds": 0,
    }  # fmt: skip
    assert np.array_equal(np.load("D.npy"), np.load("C.npy"))
    wrong = run("matmul", "A.npy", "B.npy", "-o", "E.npy", "--json")
    assert (wrong.exit_code, json.loads(wrong.stdout)["error"]["code"]) == (1, "depth-mismatch")
    assert not Path("E.npy").exists()


def test_files_of_other_kinds_are_read_or_refused_with_advice() -> None:
    np.savez("one.npz", B)
    done = run("matmul", "A.npy", "one.npz", "-o", "C.npy")
    assert done.exit_code == 0, done.output
    assert np.allclose(np.load("C.npy"), A @ B)
    np.save("v.npy", np.arange(3))
    vector = run("matmul", "v.npy", "v.npy", "-o", "C.npy")
    assert vector.stdout.startswith("written to C.npy: one number, int64")
    assert np.load("C.npy") == 5
    np.savez("two.npz", a=A, b=B)
    Path("cut.npz").write_bytes(Path("one.npz").read_bytes()[:100])
    Path("table.csv").write_text("x,y\n1,2\n")
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    for name, code, words in (
        ("two.npz", "many-arrays", "two.npz holds a, b"),
        ("cut.npz", "bad-npy", "numpy.save"),
        ("table.csv", "bad-npy", "inos.matmul multiplies tables and keeps their labels"),
        ("objects.npy", "bad-npy", "numpy.save"),
        ("absent.npz", "file-unreadable", "No such file"),
    ):
        refused = run("matmul", "A.npy", name, "-o", "C.npy", "--json")
        error = json.loads(refused.stdout)["error"]
        assert (refused.exit_code, error["code"]) == (1, code), refused.output
        assert words in error["message"] + error["hint"]


def test_sparse_files_are_multiplied() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="the extra `demo` is not installed")
    sparse.save_npz("S.npz", sparse.csr_matrix(np.diag([2.0, 0, 1])))
    for options in ((), ("--transposed",)):
        done = run("matmul", "S.npz", "S.npz", *options, "-o", "C.npy")
        assert done.exit_code == 0, done.output
        assert np.array_equal(np.load("C.npy"), np.diag([4.0, 0, 1]))


@pytest.fixture
def chain(inos_devnet: TestChain, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Restore the wallet of the chain's first account, and return the environment that commands need."""
    monkeypatch.setattr(_wallets, "SCRYPT_COST", ScryptCost(n=2**4))
    for name, text in (("phrase", PHRASE), ("password", "pw")):
        Path(name).write_text(text)
        Path(name).chmod(0o600)
    places = {"INOS_RPC": inos_devnet.url, "INOS_NETWORK": str(inos_devnet.genesis_file), "INOS_WALLET_DIR": "wallets"}
    made = run("wallet", "restore", "--phrase-file", "phrase", "--password-file", "password", **places)
    assert made.exit_code == 0, made.output
    return places


PAID = ("matmul", "A.npy", "B.npy", "-o", "C.npy", "--on-chain", "--password-file", "password")


def test_jobs_are_paid_once_their_price_is_confirmed(inos_devnet: TestChain, chain: dict[str, str]) -> None:
    refused = run(*PAID, input="n\n", **chain)
    assert refused.exit_code == 1
    assert "credits" in refused.stderr
    assert "Pay it? [y/N]" in refused.stderr
    assert inos_devnet.call("job_list")["jobs"] == []
    done = run(*PAID, "-y", **chain)
    assert done.exit_code == 0, done.output
    assert np.allclose(np.load("C.npy"), A @ B)
    assert len(inos_devnet.call("job_list")["jobs"]) >= 1
    dear = run(*PAID, "--max-cost", "0.000001", "-y", "--json", **chain)
    assert json.loads(dear.stdout)["error"]["code"] == "too-expensive"


def test_keys_elsewhere_cannot_sign_several_jobs(inos_devnet: TestChain, chain: dict[str, str]) -> None:
    watched = run("wallet", "watch", "cold", inos_devnet.accounts[0].address, **chain)
    assert watched.exit_code == 0, watched.output
    refused = run(*PAID, "--wallet", "cold", "-y", "--json", **chain)
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "no-key"
    assert "job post --unsigned" in error["hint"]
    assert inos_devnet.call("job_list")["jobs"] == []


@pytest.mark.parametrize("x", [A, RNG.integers(0, 256, (3, 5), np.uint8)])
def test_posting_other_numbers_names_the_command_that_takes_them(x: Any, chain: dict[str, str]) -> None:
    np.save("X.npy", x)
    np.save("W.npy", np.ones((2, 5), np.int8))
    refused = run("job", "post", "X.npy", "W.npy", "--password-file", "password", "--json", **chain)
    hint = json.loads(refused.stdout)["error"]["hint"]
    command = hint.partition(": ")[2]
    assert command == "inos matmul X.npy W.npy --transposed --on-chain -o Y.npy"
    done = run(*command.split()[1:], "-y", "--password-file", "password", **chain)
    assert done.exit_code == 0, done.output
    assert np.allclose(np.load("Y.npy"), x @ np.ones((5, 2)))
