from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inos.evolve import exchange
from inos.evolve.evolving import Progress, evolve
from inos.evolve.exchange import (
    MAX_OWNERS,
    MAX_RECORDS_PER_OWNER,
    MAX_REPLAYS,
    FolderNeighbours,
    Sighting,
    look_around,
)
from inos.evolve.files import FolderFiles, MemoryFiles
from inos.evolve.island import Island
from inos.evolve.records import encode_record
from inos.evolve.replay import Replayer, Verdict
from inos.evolve.runners import LocalRunner
from support.evolution import advance, make_island


class CountingFiles(MemoryFiles):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        self.reads += 1
        return super().get(file, limit, what)


@pytest.fixture
def other(tmp_path: Path) -> Island:
    return advance(make_island(tmp_path / "other", "other"), 8)


def open_beside(tmp_path: Path, other: Island, generations: int = 1) -> Island:
    """Return an island that reads the other one's files."""
    advance(make_island(tmp_path / "one"), generations)
    return Island(tmp_path / "one", others=[FolderFiles(other.folder / "files")])


def test_the_fittest_right_record_is_taken(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    assert other.head is not None
    seen = FolderNeighbours([other.folder]).find(island)
    look = look_around(island, seen, Replayer(island.files))
    assert (look.best, look.waiting, look.refused) == (other.head, {}, {})
    weak = Sighting(other.head[1].parent or b"", other.state.owner)
    island = advance(island, 40)
    assert look_around(island, [weak], Replayer(island.files)).best is None


def test_an_owner_of_a_false_record_is_ignored_from_then_on(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    assert other.head is not None
    boast = other.own.put(encode_record(msgspec.structs.replace(other.head[1], fitness=10**9)))
    seen = [Sighting(boast, other.state.owner), Sighting(other.head[0], other.state.owner)]
    look = look_around(island, seen, Replayer(island.files))
    assert look.best is None
    assert "wrong-fitness" in look.refused[other.state.owner]
    again = look_around(Island(island.folder, others=[other.own]), seen, Replayer(island.files))
    assert (again.best, again.refused) == (None, {})


def test_what_cannot_be_checked_yet_is_waited_for_and_nobody_is_ignored(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    assert other.head is not None
    parent = other.head[1].parent or b""
    data = other.own.get(parent, 512, "")
    (other.folder / "files" / parent.hex()).unlink()
    seen = [Sighting(other.head[0], other.state.owner), Sighting(b"\x01" * 32, other.state.owner)]
    look = look_around(island, seen, Replayer(island.files))
    assert (look.best, look.refused, set(look.waiting)) == (None, {}, {other.head[0], b"\x01" * 32})
    other.own.put(data)
    assert look_around(island, seen, Replayer(island.files)).best == other.head


def test_a_record_that_another_account_only_passes_on_is_not_read_as_its_own(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    assert other.head is not None
    assert look_around(island, [Sighting(other.head[0], bytes(20))], Replayer(island.files)).best is None
    assert look_around(island, [Sighting(other.head[0], other.state.owner)], Replayer(island.files)).best == other.head


def test_nobody_is_ignored_for_a_record_that_another_one_shows(tmp_path: Path, other: Island) -> None:
    """A false record that names an honest owner is shown by a liar."""
    island = open_beside(tmp_path, other)
    assert other.head is not None
    framed = other.own.put(encode_record(msgspec.structs.replace(other.head[1], fitness=10**9)))
    look = look_around(island, [Sighting(framed, b"\x07" * 20)], Replayer(island.files))
    assert (look.best, look.refused, island.state.ignored) == (None, {}, {})
    assert look_around(island, [Sighting(other.head[0], other.state.owner)], Replayer(island.files)).best == other.head


def test_a_look_ends_in_time(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    assert other.head is not None
    seen = [Sighting(other.head[0], other.state.owner)]
    assert look_around(island, seen, Replayer(island.files), limit_s=-1).best is None


def test_a_flood_is_read_up_to_its_bounds(tmp_path: Path, other: Island, monkeypatch: pytest.MonkeyPatch) -> None:
    """One owner shows 10,000 records, and 1,000 owners one each; each claims a higher fitness than the last."""
    assert other.head is not None
    files = CountingFiles()
    record = other.head[1]

    def flood() -> Iterator[Sighting]:
        for n in range(10_000):
            yield Sighting(files.put(encode_record(msgspec.structs.replace(record, fitness=10**6 + n))), record.owner)
        for n in range(1000):
            owner = n.to_bytes(20, "big")
            boast = msgspec.structs.replace(record, owner=owner, fitness=10**7 + n)
            yield Sighting(files.put(encode_record(boast)), owner)

    advance(make_island(tmp_path / "one"), 1)
    island = Island(tmp_path / "one", others=[files])
    kept = len(list((tmp_path / "one/files").iterdir()))
    checks: list[bytes] = []
    replayer = Replayer(island.files)

    def check(id: bytes) -> Verdict:
        checks.append(id)
        return Replayer.check(replayer, id)

    monkeypatch.setattr(replayer, "check", check)
    files.reads = 0
    look = look_around(island, flood(), replayer)
    assert look.best is None
    assert len(checks) == MAX_REPLAYS
    assert files.reads <= MAX_RECORDS_PER_OWNER + MAX_OWNERS + 8 * MAX_REPLAYS
    assert len(list((tmp_path / "one/files").iterdir())) == kept


def test_records_of_another_run_and_what_is_no_record_are_passed_over(tmp_path: Path, other: Island) -> None:
    assert other.head is not None
    files = MemoryFiles()
    alien = files.put(encode_record(msgspec.structs.replace(other.head[1], run=bytes(32))))
    advance(make_island(tmp_path / "one"), 1)
    island = Island(tmp_path / "one", others=[files])
    long, junk = files.put(bytes(10_000)), files.put(b"junk")
    look = look_around(
        island, [Sighting(each, other.state.owner) for each in (alien, long, junk)], Replayer(island.files)
    )
    assert look == exchange.Look(None, {}, {})


def test_islands_evolve_side_by_side_and_take_each_others_genomes(tmp_path: Path, other: Island) -> None:
    island = open_beside(tmp_path, other)
    told: list[Progress] = []
    evolve(
        island, LocalRunner(), 4, neighbours=[FolderNeighbours([other.folder])], look_every=2, on_progress=told.append
    )
    assert [each.number for each in told] == [1, 2, 3, 4]
    assert "taken from" in str(told[1])
    assert island.head is not None
    assert island.number == 5


def test_a_run_ends_at_its_best_fitness(tmp_path: Path) -> None:
    island = make_island(tmp_path / "one")
    evolve(island, LocalRunner(), 200)
    assert island.number < 200
    assert island.fitness == 40
