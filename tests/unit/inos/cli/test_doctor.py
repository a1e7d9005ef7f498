"""`inos doctor`, `inos completion`, `inos db check | compact` as typed."""

import json
import os
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inos.bench.chains import make_chain
from inos.chain import schema
from inos.chain.ledger import Ledger
from inos.cli.main import app
from inos.core.verification.results import StoredResults
from inos.doctor import machine
from inos.doctor.machine import Verdict
from inos.doctor.node import check_node
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.primitives.bls import get_bls
from inos.primitives.units import Height
from inos.testing import TestChain


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def find_free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_doctor_without_a_node(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        url = f"http://127.0.0.1:{find_free_port()}"
        typed = ("doctor", "--data-dir", str(tmp_path / "new"), "--rpc", url, "--p2p-port", str(port))
        result = invoke(*typed, "--json")
        assert result.exit_code == 1, result.output
        found = {one["name"]: one for one in json.loads(result.stdout)}
        assert found["p2p port"]["verdict"] == "fail"
        assert f":{port}" in found["p2p port"]["hint"]
        assert found["rpc port"]["verdict"] == found["folder"]["verdict"] == found["python"]["verdict"] == "ok"
        assert found["node"]["verdict"] == "note"
        told = invoke(*typed).stdout
    assert "fail  p2p port" in told
    assert "tickets/s" in told


def test_the_doctor_beside_a_node(inos_devnet: TestChain) -> None:
    inos_devnet.mine()
    result = invoke("doctor", "--rpc", inos_devnet.url, "--json")
    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert found["node"]["detail"].startswith("inos ")
    assert {name for name in found if name.startswith("node ")} == {
        "node tip", "node sync", "node peers", "node clock", "node disk", "node database", "node reach",
    }  # fmt: skip
    assert "rpc port" not in found


def test_the_doctor_finds_the_node_by_its_folder(inos_devnet: TestChain, tmp_path: Path) -> None:
    write_node_file(tmp_path, os.getpid(), inos_devnet.url)
    found = {one["name"]: one for one in json.loads(invoke("doctor", "--data-dir", str(tmp_path), "--json").stdout)}
    assert found["node"]["detail"].startswith("inos ")


def test_a_node_that_runs_and_is_silent_is_a_fault_and_a_killed_one_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{find_free_port()}"
    write_node_file(tmp_path, os.getpid(), url)
    typed = ("doctor", "--data-dir", str(tmp_path), "--json")
    silent = invoke(*typed)
    assert silent.exit_code == 1
    node = next(one for one in json.loads(silent.stdout) if one["name"] == "node")
    assert (node["verdict"], str(os.getpid()) in node["detail"], url in node["hint"]) == ("fail", True, True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    write_node_file(tmp_path, gone.pid, url)
    node = next(one for one in json.loads(invoke(*typed).stdout) if one["name"] == "node")
    assert (node["verdict"], str(tmp_path) in node["hint"]) == ("note", True)
    (tmp_path / "node.json").write_text("{")
    node = next(one for one in json.loads(invoke(*typed, "--rpc", url).stdout) if one["name"] == "node")
    assert node["verdict"] == "note"


def write_node_file(folder: Path, pid: int, url: str) -> None:
    (folder / "node.json").write_text(json.dumps({"pid": pid, "rpc": url}))


def test_what_is_wrong_with_a_node_is_passed_on() -> None:
    answers = {
        "node_version": {"version": "1", "network": "n"},
        "node_health": {
            "sync": {"summary": "following"},
            "checks": [{"name": "disk", "ok": False, "detail": "full", "hint": "make room"}],
        },
        "net_status": {"reachability": "private", "announced": "", "observed_host": ""},
    }
    _, disk, reach = check_node(answers.__getitem__)
    assert (disk.verdict, disk.hint, reach.verdict) == (Verdict.FAIL, "make room", Verdict.NOTE)


def test_a_disk_and_a_folder_that_do_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = machine.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage._replace(free=1 << 30))
    assert machine.check_disk(tmp_path / "a" / "b").verdict is Verdict.FAIL
    (tmp_path / "file").write_text("")
    assert machine.check_folder(tmp_path / "file" / "node").verdict is Verdict.FAIL
    monkeypatch.setattr(machine, "_read_clock_state", lambda: machine.TIME_ERROR)
    assert machine.check_clock().verdict is Verdict.NOTE
    monkeypatch.setattr(machine, "_read_clock_state", lambda: 0)
    assert machine.check_clock().verdict is Verdict.OK
    monkeypatch.setattr(machine.resource, "getrlimit", lambda what: (256, 256))
    assert "ulimit" in machine.check_files().hint
    monkeypatch.setenv("CC", "no-such-compiler")
    assert (machine.check_compiler().verdict, "apt-get" in machine.check_compiler().hint) == (Verdict.NOTE, True)
    monkeypatch.setenv("CC", "sh")
    assert machine.check_compiler().verdict is Verdict.OK


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell: str) -> None:
    script = invoke("completion", shell)
    assert script.exit_code == 0
    assert f"complete_{shell}" in script.stdout
    assert "inos" in script.stdout
    assert invoke("completion", "cmd").exit_code == 2


def test_completion_knows_commands_and_their_commands() -> None:
    asked = {"_INOS_COMPLETE": "complete_bash", "COMP_WORDS": "inos d", "COMP_CWORD": "1"}
    names = CliRunner().invoke(app, [], env=asked, prog_name="inos")
    assert {"db", "devnet", "doctor"} <= set(names.output.split())


def test_a_database_is_checked_and_compacted(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    made = make_chain(folder, 6, 3)
    place = ("--data-dir", str(folder), "--network", str(made.network))
    checked = invoke("db", "check", *place, "--json")
    assert checked.exit_code == 0, checked.output
    assert (json.loads(checked.stdout)["height"], json.loads(checked.stdout)["blocks"]) == (6, 6)
    assert "6 of the chain" in invoke("db", "check", *place).stdout
    compacted = invoke("db", "compact", *place)
    assert "MiB now" in compacted.stdout, compacted.output
    assert invoke("db", "check", *place).exit_code == 0
    assert json.loads(invoke("db", "check", "--data-dir", str(tmp_path), "--json").stdout)["error"]["code"] == (
        "no-database"
    )


@pytest.mark.parametrize("spoil", ["state", "block", "witness"])
def test_damage_is_found_and_named(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "node"
    made = make_chain(folder, 6, 3)
    net = load_network(str(made.network))
    results = StoredResults(MatrixStore(folder / "matrices"))
    ledger = Ledger.open(folder / "ledger", net.params, net.state, results=results, bls=get_bls())
    if spoil == "state":
        key, _ = next(iter(ledger._db.iterate(b"s")))
        ledger._db.write({key: None})
    elif spoil == "witness":
        ledger._db.write({schema.witness_key(4, ledger.view.get_block_id(Height(4)) or b""): b"\x92\xc4"})
    else:
        keys = [schema.block_key(height, ledger.view.get_block_id(Height(height)) or b"") for height in (3, 4)]
        ledger._db.write({keys[0]: ledger._db.get(keys[1])})
    ledger.close()
    result = invoke("db", "check", "--data-dir", str(folder), "--network", str(made.network), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == ("bad-state-root" if spoil == "state" else "database-damaged")
    assert spoil != "block" or "block 3" in error["message"]
