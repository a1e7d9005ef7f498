"""`inos db recheck` and `inos status` as typed, on chains from the chain generator."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.bench.chains import make_chain, make_network
from inos.chain.ledger import Ledger
from inos.cli.main import app
from inos.cli.status import describe
from inos.core.verification.results import StoredResults
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.node.datadir import DataDir
from inos.primitives.bls import get_bls
from inos.primitives.units import TimeMs
from support.disks import fill_disk, make_read_only, small_disk
from support.rpc_served import make_fake_node, serve


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_the_generator_makes_valid_chains_and_forks_of_them(tmp_path: Path):
    network = tmp_path / "genesis.json"
    net = make_network(network, 20)
    made = make_chain(tmp_path / "a", 5, 3, network=network)
    assert (made.blocks, made.transfers) == (5, 15)
    fork = make_chain(tmp_path / "b", 4, network=network, seed=2)
    assert fork.tip != made.tip
    assert make_chain(tmp_path / "c", 5, 3, network=network).tip == made.tip
    results = StoredResults(MatrixStore(tmp_path / "m"))
    blocks = []
    for folder in ("a", "b"):
        ledger = Ledger.open(
            tmp_path / folder / "ledger", net.params, net.state, results=results, bls=get_bls(), is_durable=False
        )
        ids = [ledger.view.get_block_id(height) for height in range(1, ledger.view.tip.header.height + 1)]
        blocks.append([(ledger.view.get_block(id), ledger.view.get_witness(id)) for id in ids])
        ledger.close()
    # Another ledger, which checks everything, accepts the fork and then switches to the longer chain.
    now = TimeMs(net.state.header.time_ms + 10**9)
    fresh = Ledger.open(tmp_path / "fresh", net.params, net.state, results=results, bls=get_bls(), is_durable=False)
    for block, witness in [*blocks[1], *blocks[0]]:
        fresh.add_block(block, witness, now)
    assert fresh.view.tip.id == made.tip
    fresh.close()


def test_recheck_as_typed(tmp_path: Path):
    folder = tmp_path / "node"
    chain = make_chain(folder, 3)
    net = load_network(str(chain.network))
    typed = ("db", "recheck", "--data-dir", str(folder), "--network", str(chain.network))
    assert invoke(*typed).output == "no block is remembered as invalid\n"

    results = StoredResults(MatrixStore(folder / "matrices"))
    ledger = Ledger.open(folder / "ledger", net.params, net.state, results=results, bls=get_bls(), is_durable=False)
    ledger._db.write({b"x" + chain.tip: b"\x92\xa9bad-magic\xa6a test"})
    ledger.close()

    with DataDir(folder, net.genesis_id):
        refused = invoke(*typed)
        assert refused.exit_code == 1
        assert "data-dir-in-use" in refused.output
        assert "stop that node" in refused.output
    (found,) = json.loads(invoke(*typed, "--json").output)
    assert found["id"] == chain.tip.hex()
    assert found["was"] == {"code": "bad-magic", "message": "a test"}
    assert (found["status"], found["height"], found["invalid"]) == ("connected", 3, False)
    assert invoke(*typed).output == "no block is remembered as invalid\n"


def test_recheck_makes_no_database(tmp_path: Path):
    result = invoke("db", "recheck", "--data-dir", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "no-database" in result.output
    assert not (tmp_path / "nowhere").exists()


async def test_status_asks_the_node(tmp_path: Path):
    async with serve(make_fake_node(1), tmp_path) as server:
        result = await asyncio.to_thread(invoke, "status", "--rpc", server.url)
        assert result.exit_code == 0
        assert "sync     following at block 0" in result.output
        told = json.loads((await asyncio.to_thread(invoke, "status", "--rpc", server.url, "--json")).output)
        assert (told["network"], told["sync"]["phase"], told["status"]) == ("devnet", "following", "ok")


@pytest.mark.parametrize("phase", ["following", "stalled"])
def test_status_for_a_person(phase: str):
    sync = {"height": 7, "summary": f"{phase} at block 7", "time_shares": {"state": 0.75, "disk": 0.25, "network": 0.0}}
    status = {"network": "devnet", "node_id": "ab", "peers": 3, "tip": "cd", "status": "degraded", "sync": sync}
    status["checks"] = [{"name": "sync", "ok": False, "detail": "behind"}, {"name": "tip", "ok": True, "detail": ""}]
    assert describe(status)[-4:] == [
        f"sync     {phase} at block 7",
        "time     state 75%, disk 25%",
        "health   degraded",
        "         sync: behind",
    ]


def list_contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return all files below a folder with their bytes and times of change."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_check_writes_nothing(tmp_path: Path):
    folder = tmp_path / "node"
    chain = make_chain(folder, 3)
    options = ("--data-dir", str(folder), "--network", str(chain.network))
    before = list_contents(folder)
    assert any(name.endswith(".log") and data for name, (data, _) in before.items()), "records that no table has yet"
    done = invoke("db", "check", *options)
    assert done.exit_code == 0, done.output
    assert "up to height 3" in done.output
    assert list_contents(folder) == before
    invoke("db", "compact", *options)
    before = list_contents(folder)
    assert any(name.endswith(".ldb") for name in before)
    assert invoke("db", "check", *options).exit_code == 0
    assert list_contents(folder) == before


def test_a_node_on_a_disk_that_may_only_be_read_is_checked_and_nothing_else(tmp_path: Path):
    with small_disk(tmp_path / "disk", 32 << 20) as disk:
        chain = make_chain(disk / "node", 3)
        options = ("--data-dir", str(disk / "node"), "--network", str(chain.network))
        make_read_only(disk)
        done = invoke("db", "check", *options)
        assert done.exit_code == 0, done.output
        assert "up to height 3" in done.output
        refused = (("db", "compact"), ("db", "recheck"), ("db", "export", str(tmp_path / "chain")), ("node",))
        for command in (*refused, ("snapshot", str(tmp_path / "copy"))):
            done = invoke(*command, *options)
            assert done.exit_code == 1
            assert "error [data-dir-unusable]" in done.stderr
            assert "that you may write to it" in done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk"]


def test_an_export_to_a_full_disk_goes_on_when_there_is_room(tmp_path: Path):
    chain = make_chain(tmp_path / "node", 40)
    options = ("--data-dir", str(tmp_path / "node"), "--network", str(chain.network))
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        filler = fill_disk(disk)
        os.truncate(filler, filler.stat().st_size - (512 << 10))
        done = invoke("db", "export", str(disk / "chain"), *options)
        assert done.exit_code == 1
        assert "error [disk-full]" in done.stderr
        assert not (disk / "chain").exists()
        filler.unlink()
        done = invoke("db", "export", str(disk / "chain"), *options)
        assert done.exit_code == 0, done.output
        assert "of them by an earlier run" in done.output


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("command", ["check", "compact", "export", "recheck"])
def test_no_command_begins_a_chain_over_one_that_lost_its_current_file(
    tmp_path: Path, command: str, is_compacted: bool
):
    folder = tmp_path / "node"
    chain = make_chain(folder, 3)
    options = ("--data-dir", str(folder), "--network", str(chain.network))
    if is_compacted:
        invoke("db", "compact", *options)
    current = (folder / "ledger" / "CURRENT").read_bytes()
    (folder / "ledger" / "CURRENT").unlink()
    tables = {name: data for name, data in list_contents(folder / "ledger").items() if name.endswith((".ldb", ".log"))}
    file = (str(tmp_path / "file"),) if command == "export" else ()
    done = invoke("db", command, *file, *options)
    assert done.exit_code == 1
    text = " ".join(done.output.split())
    assert "error [database-damaged]" in text
    assert f"{folder / 'ledger'} cannot be read" in text
    assert "CURRENT is missing" in text
    assert "from a snapshot or a backup" in text
    assert tables.items() <= list_contents(folder / "ledger").items()
    (folder / "ledger" / "CURRENT").write_bytes(current)
    assert "up to height 3" in invoke("db", "check", *options).output


def test_an_empty_folder_is_no_database(tmp_path: Path):
    (tmp_path / "node" / "ledger").mkdir(parents=True)
    done = invoke("db", "check", "--data-dir", str(tmp_path / "node"), "--network", "devnet")
    assert "error [no-database]" in done.output
    assert list(tmp_path.rglob("*")) == [tmp_path / "node", tmp_path / "node" / "ledger"]
