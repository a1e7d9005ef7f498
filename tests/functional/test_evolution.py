"""Islands whose generations are tasks on a chain give the same bits as islands of this machine, and find each other."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from inos.cli.common import wallets
from inos.cli.main import app
from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.evolve.breeding import Breeding
from inos.evolve.evolving import evolve
from inos.evolve.exchange import look_around
from inos.evolve.files import MemoryFiles, MeshFiles
from inos.evolve.island import FolderPending, Island, create_island
from inos.evolve.market import ChainNeighbours, ChainTasks
from inos.evolve.problems import write_function_run
from inos.evolve.records import Trial, encode_record
from inos.evolve.replay import Replayer, State, Verdict, read_lineage
from inos.evolve.runners import LocalRunner, MarketRunner
from inos.evolve.seeds import derive_seed
from inos.primitives.units import NANO_PER_CREDIT
from inos.testing import TestChain
from inos.testing.chain import PHRASE
from inos.wallet.keystore import ScryptCost
from inos.work.files import compute_file_id
from support.evolution import make_examples, make_island, write_small_run

TERMS = TaskTerms(may_wait_for_jury=True)


def open_market_island(folder: Path, client: BlockingClient, name: str, owner: bytes) -> Island:
    files = MemoryFiles()
    create_island(folder, files, write_small_run(files), derive_seed(name), owner)
    island = Island(folder, MeshFiles(client))
    island.share()
    return island


def make_runner(island: Island, client: BlockingClient, check_every: int = 2) -> MarketRunner:
    return MarketRunner(client, FolderPending(island.folder), terms=TERMS, check_every=check_every)


@pytest.mark.timeout(300)
def test_generations_of_miners_are_those_of_this_machine_and_others_cite_them(
    inos_devnet: TestChain, tmp_path: Path
) -> None:
    first, second = inos_devnet.accounts[:2]
    with (
        BlockingClient(inos_devnet.url, wallet=first.key) as client,
        BlockingClient(inos_devnet.url, wallet=second.key) as other_client,
    ):
        paid = open_market_island(tmp_path / "paid", client, "one", bytes(first.key.address))
        evolve(paid, make_runner(paid, client), 4)
        local = make_island(tmp_path / "local", "one")
        evolve(local, LocalRunner(), 4)
        assert paid.head is not None
        mesh = MeshFiles(client)
        lineage = read_lineage(mesh, [paid.head[0]])
        here = read_lineage(local.own, [local.head[0]] if local.head else [])
        assert [(each.genome, each.fitness) for each in lineage.records.values()] == [
            (each.genome, each.fitness) for each in here.records.values()
        ]
        replayer = Replayer(mesh, chain=ChainTasks(client))
        assert [verdict for _, verdict in replayer.check_all(lineage)] == [Verdict(State.RIGHT)] * 4

        record = paid.head[1]
        false = mesh.put(
            encode_record(msgspec.structs.replace(record, task=lineage.records[record.parent or b""].task))
        )
        assert replayer.check(false).reason.startswith("bad-task: ")
        unknown = mesh.put(encode_record(msgspec.structs.replace(record, task=bytes(32))))
        assert replayer.check(unknown).state is State.UNCHECKED

        joining = open_market_island(tmp_path / "joining", other_client, "two", bytes(second.key.address))
        evolve(joining, make_runner(joining, other_client), 1)
        neighbours = ChainNeighbours(other_client, joining.files)
        seen = list(neighbours.find(joining))
        assert [each.record for each in seen] == [id for id in reversed(lineage.records) if id != paid.head[0]]
        look = look_around(joining, seen, Replayer(joining.files, chain=ChainTasks(other_client)))
        assert look.best is not None
        taken = joining.advance(make_runner(joining, other_client), look.best)
        assert taken.cited == look.best[0]
        assert taken.fitness > 0
        whole = read_lineage(MeshFiles(client), [joining.head[0]] if joining.head else [])
        assert len(whole.records) == 2 + 3
        assert {verdict for _, verdict in replayer.check_all(whole)} == {Verdict(State.RIGHT)}


@pytest.mark.timeout(300)
def test_a_task_that_was_posted_before_a_kill_is_not_paid_twice(inos_devnet: TestChain, tmp_path: Path) -> None:
    account = inos_devnet.accounts[0]
    with BlockingClient(inos_devnet.url, wallet=account.key) as client:
        island = open_market_island(tmp_path / "one", client, "one", bytes(account.key.address))

        class KilledError(Exception):
            pass

        class Killed(FolderPending):
            def save(self, name: bytes, job: str) -> None:
                super().save(name, job)
                raise KilledError

        with pytest.raises(KilledError):
            island.advance(MarketRunner(client, Killed(island.folder), terms=TERMS))
        again = Island(tmp_path / "one", MeshFiles(client))
        record = again.advance(make_runner(again, client))
        tasks = client.jobs(limit=10).jobs
        assert [each.id for each in tasks] == [(record.task or b"").hex()]


def test_a_wrong_outcome_is_disputed_and_the_right_one_is_recorded(
    inos_devnet: TestChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = inos_devnet.accounts[0]
    with BlockingClient(inos_devnet.url, wallet=account.key) as client:
        island = open_market_island(tmp_path / "one", client, "one", bytes(account.key.address))
        honest, disputed = client.run, []

        def lie(program, given, **options):  # type: ignore[no-untyped-def]
            genome, fitness = honest(program, given, **options)
            return [genome, fitness + 1]

        monkeypatch.setattr(client, "run", lie)
        monkeypatch.setattr(client, "dispute", disputed.append)
        record = island.advance(make_runner(island, client, check_every=1))
        assert disputed == [client.jobs(limit=1).jobs[0].id]
        assert record.task is None
        assert island.head is not None
        assert Replayer(island.own).check(island.head[0]).state is State.RIGHT


@pytest.mark.timeout(300)
def test_generations_of_a_function_lead_to_their_lineage(inos_devnet: TestChain, tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    module = (Path(__file__).parents[2] / "examples" / "functions" / "cartpole.wasm").read_bytes()
    files, islands = MemoryFiles(), []
    trial = Trial(compute_file_id(module), (), 1024, 2**25, 0)
    breeding = Breeding(genes=24, top=32_768, children=7, sizes=(256, 1024))
    run = write_function_run(files, "pole", module, breeding, trial=trial)
    with (
        BlockingClient(inos_devnet.url, wallet=inos_devnet.accounts[0].key) as client,
        BlockingClient(inos_devnet.url, wallet=inos_devnet.accounts[1].key) as other,
    ):
        for name, each, account in zip(("one", "two"), (client, other), inos_devnet.accounts[:2], strict=False):
            create_island(tmp_path / name, files, run, derive_seed(name), bytes(account.key.address))
            islands.append(Island(tmp_path / name, MeshFiles(each)))
        first, second = islands
        first.share()
        evolve(first, make_runner(first, client), 2)
        assert first.head is not None
        parent = first.head[1].parent
        seen = list(ChainNeighbours(other, second.files).find(second))
        assert [each.record for each in seen] == [parent]
        look = look_around(second, seen, Replayer(second.files, chain=ChainTasks(other)))
        assert look.best is not None
        taken = second.advance(make_runner(second, other), look.best)
        assert (taken.cited, taken.fitness >= look.best[1].fitness) == (parent, True)
        lineage = read_lineage(MeshFiles(client), [second.head[0]] if second.head else [])
        replayer = Replayer(MeshFiles(client), chain=ChainTasks(client))
        assert [verdict for _, verdict in replayer.check_all(lineage)] == [Verdict(State.RIGHT)] * 2


@pytest.mark.timeout(300)
def test_the_command_pays_miners_and_joins_by_a_records_id(
    inos_chain_factory: Callable[..., TestChain], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain has no jury; the only thing that is replaced is the check for one."""
    chain = inos_chain_factory(funds=10**6 * NANO_PER_CREDIT)  # blocks are so easy here that a burn is high
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inos.client.tasks.find_missing_jury", lambda jurors: None)
    monkeypatch.setattr(wallets, "SCRYPT_COST", ScryptCost(n=2**10, r=8, p=1))
    inputs, labels = make_examples(count=200, spread=90)
    np.save("x.npy", inputs)
    np.save("y.npy", labels)
    Path("phrase").write_text(PHRASE)
    Path("password").write_text("pw")
    for name in ("phrase", "password"):
        Path(name).chmod(0o600)
    pays = ("--miners", "--password-file", "password", "--network", str(chain.genesis_file), "--json")

    def run(*arguments: str, code: int = 0) -> str:
        environment = {"HOME": str(tmp_path), "INOS_RPC": chain.url}
        done = CliRunner().invoke(app, arguments, env=environment)
        assert done.exit_code == code, done.output
        return done.stdout

    run("wallet", "restore", "--phrase-file", "phrase", "--password-file", "password")
    data = ("--inputs", "x.npy", "--labels", "y.npy", "--classes", "3")
    paid = json.loads(run("evolve", "run", "paid", "-n", "2", "--seed", "one", *data, *pays))
    local = json.loads(run("evolve", "run", "local", "-n", "2", "--seed", "one", "--json", *data))
    assert (paid["run"], paid["fitness"]) == (local["run"], local["fitness"])
    assert paid["head"] != local["head"]  # the owners differ
    joined = json.loads(run("evolve", "join", paid["head"], "other", "-n", "1", "--index", "1", *pays))
    assert joined["run"] == paid["run"]
    node = ("--rpc", chain.url)
    checked = json.loads(run("evolve", "replay", joined["head"], *node, "--json"))
    assert [each["state"] for each in checked["records"]] == ["right"] * 3
    shown = json.loads(run("evolve", "show", "other", *node, "--json"))
    assert len({each["owner"] for each in shown["records"]}) == 2
    assert all(each["task"] for each in shown["records"])
    assert "other-owner" in run("evolve", "run", "paid", "-n", "1", "--index", "1", *pays, code=1)
