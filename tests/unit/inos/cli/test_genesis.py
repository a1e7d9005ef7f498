"""`inos genesis`: list, show, derive."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.cli.common.speed import measure_tickets_per_second
from inos.genesis import load_network
from inos.primitives.blocks import compute_difficulty
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

TO = encode_address("dinos", Address(b"\x22" * 20))
runner = CliRunner()


def test_list_and_show() -> None:
    rows = json.loads(runner.invoke(cli.app, ["genesis", "list", "--json"]).stdout)
    assert [r["network"] for r in rows] == ["devnet", "testnet"]
    shown = json.loads(runner.invoke(cli.app, ["genesis", "show", "testnet", "--json"]).stdout)
    assert shown["genesis"] == load_network("testnet").genesis_id.hex() == rows[1]["genesis"]
    assert shown["params"]["spacing_ms"] == 30_000
    assert "spacing_ms" in runner.invoke(cli.app, ["genesis", "show"]).stdout


def test_derive_writes_a_network_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    done = runner.invoke(cli.app, ["genesis", "derive", str(file), "--fund", f"{TO}=2.5", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["genesis"] == load_network(str(file)).genesis_id.hex()
    assert json.loads(file.read_text())["allocations"] == {TO: "2500000000"}
    again = runner.invoke(cli.app, ["genesis", "derive", str(file)])
    assert (again.exit_code, "file-exists" in again.stderr) == (1, True)


def test_the_first_target_fits_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.cli.genesis.measure_tickets_per_second", lambda: 3_000.0)
    file = tmp_path / "mine.json"
    typed = ["genesis", "derive", str(file), "--base", "testnet", "--set", "spacing_ms=10000", "--machines", "2"]
    done = runner.invoke(cli.app, typed)
    assert done.exit_code == 0, done.output
    assert "a block every 10 s at 6,000 tickets/s, the speed of 2 machines like this one" in done.stdout
    assert "from block 20160 on, after 56 h" in done.stdout
    assert compute_difficulty(load_network(str(file)).params.genesis_target) == 60_000


def test_the_target_is_no_easier_than_the_network_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.cli.genesis.measure_tickets_per_second", lambda: 0.5)
    file = tmp_path / "mine.json"
    done = runner.invoke(cli.app, ["genesis", "derive", str(file), "--base", "testnet"])
    assert done.exit_code == 0, done.output
    params = load_network(str(file)).params
    assert params.genesis_target == params.max_target


def test_a_machine_s_speed_is_what_its_miner_reaches() -> None:
    fast, slow = measure_tickets_per_second(0.2), measure_tickets_per_second(0.0)
    assert fast > 100
    assert 1 / 50 < fast / slow < 50


def test_derive_refuses_bad_accounts(tmp_path: Path) -> None:
    for fund, code in (("x", "bad-fund"), ("bob=1", "not-an-address"), (f"{TO}=-1", "bad-amount")):
        done = runner.invoke(cli.app, ["genesis", "derive", str(tmp_path / "f"), "--fund", fund, "--json"])
        assert json.loads(done.stdout)["error"]["code"] == code
        assert not (tmp_path / "f").exists()


def test_derive_changes_what_is_asked(tmp_path: Path) -> None:
    file, seed = tmp_path / "own.json", f"{'07' * 32}@example.org:8646"
    typed = ["genesis", "derive", str(file), "--base", "testnet", "--name", "friends", "--chain-id", "70071"]
    typed += ["--seed", seed, "--set", "spacing_ms=10000", "--set", f"genesis_target={'00' + 'ff' * 31}"]
    done = runner.invoke(cli.app, typed)
    assert done.exit_code != 0  # easier than the easiest allowed target
    assert "genesis-invalid" in done.output
    assert not file.exists()
    done = runner.invoke(cli.app, [*typed[:-1], f"genesis_target={'0003' + 'ff' * 30}"])
    assert done.exit_code == 0, done.output
    made = json.loads(file.read_text())
    assert (made["network"]["name"], made["network"]["chain_id"], made["network"]["seeds"]) == (
        "friends", 70071, [seed],
    )  # fmt: skip
    assert made["params"]["spacing_ms"] == 10000


@pytest.mark.parametrize("text", ["spacing_ms", "nothing=1", "spacing_ms=soon", "=5"])
def test_derive_refuses_what_is_no_parameter(tmp_path: Path, text: str) -> None:
    done = runner.invoke(cli.app, ["genesis", "derive", str(tmp_path / "f"), "--set", text, "--json"])
    assert json.loads(done.stdout)["error"]["code"] == "bad-param"
