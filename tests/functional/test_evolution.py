"""Islands whose generations are tasks on a chain give the same bits as islands of this machine, and find each other."""

from pathlib import Path

import msgspec
import pytest

from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.evolve.evolving import evolve
from inos.evolve.exchange import look_around
from inos.evolve.files import MemoryFiles, MeshFiles
from inos.evolve.island import FolderPending, Island, create_island
from inos.evolve.market import ChainNeighbours, ChainTasks
from inos.evolve.records import encode_record
from inos.evolve.replay import Replayer, State, Verdict, read_lineage
from inos.evolve.runners import LocalRunner, MarketRunner
from inos.evolve.seeds import derive_seed
from inos.testing import TestChain
from support.evolution import make_island, write_small_run

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
