from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inos.evolve.eggroll import build_generation, check_examples
from inos.evolve.errors import Unchecked
from inos.evolve.files import MemoryFiles
from inos.evolve.generations import Outcome
from inos.evolve.island import Island
from inos.evolve.records import Record, encode_record
from inos.evolve.replay import Replayer, State, Verdict, read_lineage
from inos.evolve.runs import write_run
from inos.evolve.seeds import derive_local_owner
from inos.primitives.matrices import DType
from inos.programs import Stored
from inos.work.files import compute_file_id
from support.evolution import SMALL, advance, make_examples, make_island

OTHER = bytes(compute_file_id(b"something else"))


@pytest.fixture
def island(tmp_path: Path) -> Island:
    return advance(make_island(tmp_path / "one"), 3)


def change(island: Island, **fields: Any) -> bytes:
    """Keep the head with other fields; return its id."""
    assert island.head is not None
    return island.own.put(encode_record(msgspec.structs.replace(island.head[1], **fields)))


def remove(island: Island, file: bytes) -> None:
    (island.folder / "files" / file.hex()).unlink()


def test_all_records_of_an_honest_island_are_right(island: Island) -> None:
    assert island.head is not None
    lineage = read_lineage(island.own, [island.head[0]])
    assert [each.number for each in lineage.records.values()] == [0, 1, 2]
    assert {verdict for _, verdict in Replayer(island.own).check_all(lineage)} == {Verdict(State.RIGHT)}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"genome": OTHER}, "wrong-genome"),
        ({"fitness": 1347}, "wrong-fitness"),
        ({"elites": OTHER}, "wrong-elites"),
        ({"seed": bytes(32)}, "bad-link"),
        ({"owner": bytes(20)}, "bad-link"),
        ({"number": 7}, "bad-link"),
    ],
)
def test_a_record_that_is_changed_in_any_field_is_false(island: Island, fields: dict[str, Any], code: str) -> None:
    verdict = Replayer(island.own).check(change(island, **fields))
    assert verdict.state is State.FALSE
    assert verdict.reason.startswith(code)


@pytest.mark.parametrize("name", ["run", "parent", "cited"])
def test_a_record_that_names_what_nobody_has_cannot_be_checked_yet(island: Island, name: str) -> None:
    verdict = Replayer(island.own).check(change(island, **{name: OTHER}))
    assert verdict.state is State.UNCHECKED
    assert OTHER.hex() in verdict.reason


def test_a_record_that_cites_its_own_island_is_false(island: Island) -> None:
    assert island.head is not None
    verdict = Replayer(island.own).check(change(island, cited=island.head[1].parent))
    assert (verdict.state, verdict.reason[:12]) == (State.FALSE, "bad-citation")


def test_a_lineage_whose_parent_is_missing_cannot_be_checked_and_is_right_once_it_comes(island: Island) -> None:
    assert island.head is not None
    id, record = island.head
    assert record.parent is not None
    data = island.own.get(record.parent, 512, "")
    remove(island, record.parent)
    lineage = read_lineage(island.own, [id])
    assert (len(lineage.records), lineage.missing) == (1, (record.parent,))
    verdicts = dict(Replayer(island.own).check_all(lineage))
    assert {verdict.state for verdict in verdicts.values()} == {State.UNCHECKED}
    assert "record is not at hand" in verdicts[id].reason
    island.own.put(data)
    assert Replayer(island.own).check(id).state is State.RIGHT


def test_missing_or_damaged_genome_and_data_make_no_record_false(island: Island) -> None:
    assert island.head is not None
    id, record = island.head
    parent = read_lineage(island.own, [id]).records[record.parent or b""]
    for file in (parent.genome, next(iter(island.opened.stored)), island.opened.run.program):
        path = island.folder / "files" / file.hex()
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + b"\x7f")
        assert Replayer(island.own).check(id).state is State.UNCHECKED
        path.unlink()
        assert Replayer(island.own).check(id).state is State.UNCHECKED
        path.write_bytes(whole)
    assert Replayer(island.own).check(id).state is State.RIGHT


def test_what_is_no_record_is_named_as_broken(island: Island) -> None:
    broken = island.own.put(b"no record")
    lineage = read_lineage(island.own, [broken])
    assert list(lineage.broken) == [broken]
    assert [verdict.state for _, verdict in Replayer(island.own).check_all(lineage)] == [State.FALSE]


def test_data_with_labels_outside_the_model_makes_a_record_false() -> None:
    """Another author's program declares labels 0 to 2 and names a file that has a label 3."""
    files = MemoryFiles()
    inputs, labels = make_examples(count=100)
    built = build_generation(check_examples(inputs, labels, 3), SMALL)
    good = labels.astype(np.int8).tobytes()
    bad = files.put(good[:3] + b"\x03" + good[4:])
    program = built.program
    named = [
        msgspec.structs.replace(each, source=Stored(bad, DType.BYTES))
        if each.source == Stored(compute_file_id(good), DType.BYTES)
        else each
        for each in program.inputs
    ]
    assert tuple(named) != program.inputs
    wrong = msgspec.structs.replace(built, program=msgspec.structs.replace(program, inputs=tuple(named)))
    run = write_run(files, "bad labels", wrong, np.zeros((1, 88), np.int64))
    owner = derive_local_owner(bytes(32))
    record = files.put(encode_record(Record(1, run, owner, bytes(32), 0, None, None, OTHER, 0, None, None)))
    verdict = Replayer(files).check(record)
    assert (verdict.state, verdict.reason[:11]) == (State.FALSE, "input-range")


def test_a_walk_reads_no_more_records_than_its_limit(island: Island) -> None:
    assert island.head is not None
    assert len(read_lineage(island.own, [island.head[0]], limit=2).records) == 2


def test_a_task_is_compared_only_after_the_rest_and_only_with_a_chain(island: Island) -> None:
    class Silent:
        def check_task(self, record: Record, outcome: Outcome) -> None:
            raise Unchecked("task-unknown", "the chain does not know it yet")

    id = change(island, task=OTHER)
    assert Replayer(island.own).check(id).state is State.RIGHT
    assert Replayer(island.own, chain=Silent()).check(id).state is State.UNCHECKED
    assert Replayer(island.own, chain=Silent()).check(change(island, task=OTHER, fitness=0)).state is State.FALSE
