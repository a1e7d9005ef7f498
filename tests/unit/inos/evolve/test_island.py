import json
from pathlib import Path

import msgspec
import pytest

from inos.evolve.errors import InvalidRun, Missing
from inos.evolve.files import FolderFiles, MemoryFiles
from inos.evolve.island import FolderPending, Island, create_island, lock_island
from inos.evolve.runners import LocalRunner
from inos.evolve.seeds import derive_local_owner, derive_seed
from support.evolution import advance, make_island, write_small_run


def test_an_island_gets_fitter_and_goes_on_after_it_is_opened_again(tmp_path: Path) -> None:
    whole = advance(make_island(tmp_path / "whole"), 8)
    first = advance(make_island(tmp_path / "parts"), 3)
    del first
    again = advance(Island(tmp_path / "parts"), 5)
    assert again.head == whole.head
    assert whole.head is not None
    assert whole.head[1].number == 7
    start = advance(make_island(tmp_path / "start"), 1)
    assert (whole.fitness or 0) > (start.fitness or 0)


def test_a_kill_between_any_two_writes_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before each of the writes of the third generation in turn."""
    whole = advance(make_island(tmp_path / "whole"), 3)
    folder = tmp_path / "killed"
    advance(make_island(folder), 2)
    deaths = 0
    write = FolderFiles.put
    while True:
        left = [deaths]

        def put(self: FolderFiles, data: bytes, left: list[int] = left) -> bytes:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return write(self, data)

        monkeypatch.setattr(FolderFiles, "put", put)
        try:
            island = Island(folder)
            assert island.number == 2
            island.advance(LocalRunner())
            break
        except KeyboardInterrupt:
            deaths += 1
        finally:
            monkeypatch.undo()
    assert deaths == 2
    assert Island(folder).head == whole.head


def test_another_seed_is_another_lineage(tmp_path: Path) -> None:
    one, two = (advance(make_island(tmp_path / name, name), 2) for name in ("one", "two"))
    assert one.head is not None
    assert two.head is not None
    assert one.head[1].genome != two.head[1].genome
    assert one.head[1].run == two.head[1].run


def test_a_citing_generation_begins_with_the_cited_genome_and_keeps_it(tmp_path: Path) -> None:
    files = MemoryFiles()
    other = advance(make_island(tmp_path / "other", "other"), 5)
    assert other.head is not None
    for path in (tmp_path / "other/files").iterdir():
        files.put(path.read_bytes())
    seed = derive_seed("one")
    create_island(tmp_path / "one", files, write_small_run(files), seed, derive_local_owner(seed))
    island = Island(tmp_path / "one", others=[files])
    record = island.advance(LocalRunner(), other.head)
    assert (record.parent, record.cited, record.number) == (None, other.head[0], 0)
    alone = Island(tmp_path / "one")
    assert alone.own.get(other.head[1].genome, 1 << 20, "the genome")
    plain = advance(make_island(tmp_path / "plain"), 1)
    assert plain.head is not None
    assert plain.head[1].genome != record.genome


def test_one_process_at_a_time_computes_on_an_island(tmp_path: Path) -> None:
    with lock_island(tmp_path), pytest.raises(InvalidRun) as caught, lock_island(tmp_path):
        pass
    assert caught.value.code == "island-busy"
    with lock_island(tmp_path):
        pass


def test_folders_without_an_island_or_with_a_damaged_one_are_named(tmp_path: Path) -> None:
    island = advance(make_island(tmp_path / "one"), 1)
    with pytest.raises(InvalidRun) as caught:
        create_island(tmp_path / "one", island.own, island.state.run, bytes(32), bytes(20))
    assert caught.value.code == "island-exists"
    with pytest.raises(InvalidRun) as caught:
        Island(tmp_path / "none")
    assert caught.value.code == "no-island"
    for text in ("", "[]", "{", json.dumps({"run": "AA=="})):
        (tmp_path / "one/island.json").write_text(text)
        with pytest.raises(InvalidRun) as caught:
            Island(tmp_path / "one")
        assert caught.value.code == "island-damaged"


def test_an_island_whose_head_is_gone_says_so(tmp_path: Path) -> None:
    island = advance(make_island(tmp_path / "one"), 1)
    assert island.head is not None
    (tmp_path / "one/files" / island.head[0].hex()).unlink()
    with pytest.raises(Missing, match="the record is not at hand"):
        Island(tmp_path / "one")


def test_ignored_owners_are_remembered_and_bounded(tmp_path: Path) -> None:
    island = advance(make_island(tmp_path / "one"), 1)
    island.state = msgspec.structs.replace(
        island.state, ignored={n.to_bytes(20, "big").hex(): "x" * 200 for n in range(1000)}
    )
    for n in range(1000, 1003):
        island.ignore(n.to_bytes(20, "big"), "x" * 1000)
    found = Island(tmp_path / "one").state.ignored
    assert len(found) == 1000
    assert (2).to_bytes(20, "big").hex() not in found
    assert set(found.values()) == {"x" * 200}


def test_a_pending_task_is_found_by_what_it_was_given(tmp_path: Path) -> None:
    pending = FolderPending(tmp_path)
    assert pending.find(b"given") is None
    pending.save(b"given", "ab" * 32)
    assert FolderPending(tmp_path).find(b"given") == "ab" * 32
    assert pending.find(b"other") is None
    (tmp_path / "pending.json").write_text("{")
    assert pending.find(b"given") is None
    pending.clear()
    pending.clear()
