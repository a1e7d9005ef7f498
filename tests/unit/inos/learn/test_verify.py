"""Verification names the step and the field of whatever was changed in a run."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inos.learn.errors import LearnError
from inos.learn.run import load_run
from inos.learn.spec import StepRecord, compute_id, encode
from inos.learn.training import train_run
from inos.learn.verify import verify_run
from inos.programs import ProgramBuilder, encode_program
from support.training_runs import make_run

STEPS = 6


@pytest.fixture
def run(tmp_path: Path) -> Any:
    return train_run(make_run(tmp_path / "run", STEPS), checkpoint_every=2)


def refuse(path: Path, code: str, **arguments: Any) -> str:
    with pytest.raises(LearnError) as caught:
        verify_run(load_run(path), **arguments)
    assert caught.value.code == code
    return str(caught.value)


def write_records(path: Path, records: list[StepRecord]) -> None:
    (path / "records.jsonl").write_bytes(b"".join([encode(each) + b"\n" for each in records]))


def link(records: list[StepRecord]) -> list[StepRecord]:
    """Return the records with parents that fit, as a forger would write them."""
    linked = [records[0]]
    for record in records[1:]:
        linked.append(msgspec.structs.replace(record, parent=compute_id(linked[-1])))
    return linked


def test_a_right_run_is_right(run: Any) -> None:
    found = verify_run(run, head=run.head)
    assert (found.first, found.last, found.begins_at) == (1, STEPS, 0)
    part = verify_run(run, 4, 5)
    assert (part.first, part.last, part.begins_at) == (3, 5, 2), "the checkpoint of step 2 is the beginning"


@pytest.mark.parametrize("step", [1, 3, STEPS])
@pytest.mark.parametrize("field", ["weights", "state", "loss", "right", "gradient", "metrics"])
def test_a_field_that_a_forger_changed_is_named_with_its_step(run: Any, step: int, field: str) -> None:
    records, path = list(run.records), run.folder.path
    old = records[step - 1]
    if field in ("gradient", "metrics"):
        shard = msgspec.structs.replace(old.shards[1], **{field: "ab" * 32})
        records[step - 1] = msgspec.structs.replace(old, shards=(old.shards[0], shard))
        named = "shard 1"
    else:
        value = getattr(old, field) + 1 if field in ("loss", "right") else "ab" * 32
        records[step - 1] = msgspec.structs.replace(old, **{field: value})
        named = field
    write_records(path, link(records))
    text = refuse(path, "step-wrong")
    assert f"step {step} is wrong: {named}" in text


@pytest.mark.parametrize("step", [1, 3])
def test_a_changed_record_breaks_the_chain(run: Any, step: int) -> None:
    records = list(run.records)
    records[step - 1] = msgspec.structs.replace(records[step - 1], loss=1)
    write_records(run.folder.path, records)
    with pytest.raises(LearnError, match=f"step {step + 1} names .* up to step {step} was changed") as caught:
        load_run(run.folder.path)
    assert caught.value.code == "parent-missing"


def test_a_missing_record_is_named(run: Any) -> None:
    write_records(run.folder.path, [*run.records[:2], *run.records[3:]])
    with pytest.raises(LearnError, match="where step 3 should be there is step 4") as caught:
        load_run(run.folder.path)
    assert caught.value.code == "bad-record"


def test_a_record_of_another_run_is_refused(run: Any) -> None:
    write_records(run.folder.path, [msgspec.structs.replace(run.records[0], run="cd" * 32)])
    with pytest.raises(LearnError, match="where step 1 should be"):
        load_run(run.folder.path)


def test_a_changed_checkpoint_is_named_with_its_step(run: Any) -> None:
    place = run.folder.path / "files" / run.records[3].weights
    place.write_bytes(place.read_bytes()[:-1] + b"\x01")
    assert "the checkpoint of step 4 was changed" in refuse(run.folder.path, "checkpoint-changed", first=5)
    assert "step 4" in refuse(run.folder.path, "checkpoint-changed")
    place.unlink()
    assert verify_run(load_run(run.folder.path), 5).begins_at == 2, "the one before is enough"


def test_a_changed_program_or_first_weight_is_named(run: Any) -> None:
    for name in (run.spec.gradient, run.spec.weights):
        place = run.folder.path / "files" / name
        data = place.read_bytes()
        place.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert name in refuse(run.folder.path, "file-changed")
        place.unlink()
        assert name in refuse(run.folder.path, "file-missing")
        place.write_bytes(data)


@pytest.mark.parametrize("field", ["seed", "steps", "examples", "weights"])
def test_a_changed_spec_is_another_run(run: Any, field: str) -> None:
    place = run.folder.path / "spec.json"
    spec = json.loads(place.read_bytes())
    spec[field] = spec["state"] if field == "weights" else spec[field] + 1
    place.write_bytes(json.dumps(spec, separators=(",", ":")).encode())
    with pytest.raises(LearnError, match="step 1"):
        load_run(run.folder.path)


def test_a_record_that_is_no_json_or_not_canonical_is_refused(run: Any) -> None:
    place = run.folder.path / "records.jsonl"
    lines = place.read_bytes().split(b"\n")
    for wrong in (b"{}", b"\xff", lines[1].replace(b",", b", ")):
        place.write_bytes(b"\n".join([lines[0], wrong, *lines[2:]]))
        with pytest.raises(LearnError, match="the record of step 2") as caught:
            load_run(run.folder.path)
        assert caught.value.code == "bad-run"


def test_the_head_and_the_steps_asked_for_must_be_there(run: Any, tmp_path: Path) -> None:
    refuse(run.folder.path, "head-differs", head="00" * 32)
    for first, last in ((0, 2), (3, 2), (1, STEPS + 1)):
        refuse(run.folder.path, "step-unknown", first=first, last=last)
    with pytest.raises(LearnError) as caught:
        load_run(tmp_path)
    assert caught.value.code == "run-missing"
    empty = make_run(tmp_path / "empty")
    assert verify_run(empty).last == 0


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("gradient",), "../../../etc/passwd"),
        (("gradient",), "AB" * 32),
        (("version",), 2),
        (("seed",), -1),
        (("seed",), 1 << 62),
        (("steps",), 0),
        (("shards",), 10**9),
        (("optimiser", "second"), -1),
        (("optimiser", "momentum"), 1 << 16),
        (("optimiser", "rate"), 0),
        (("optimiser", "name"), "lion"),
        (("optimiser", "warmup"), -5),
        (("parameters", 0, "first"), -3),
        (("parameters", 0, "sizes"), [2, 400]),
        (("other",), 1),
    ],
)
def test_a_spec_that_a_stranger_made_up_is_refused(run: Any, place: tuple[Any, ...], value: Any) -> None:
    """A run is fetched from strangers, and its spec is read before anything is computed."""
    spec = json.loads((run.folder.path / "spec.json").read_bytes())
    part = spec
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    (run.folder.path / "spec.json").write_bytes(json.dumps(spec, separators=(",", ":")).encode())
    (run.folder.path / "records.jsonl").unlink()
    with pytest.raises(LearnError) as caught:
        load_run(run.folder.path).find_weights()
    assert caught.value.code == "bad-run"


def test_a_program_that_no_juror_could_run_is_not_run(run: Any) -> None:
    b = ProgramBuilder()
    b.input(1, 3, 0, 1)
    b.input(1, 8, 0, 1)
    huge = b.random(b.constant([1]), 1 << 16, 1 << 14, 16)
    name = run.folder.put(encode_program(b.finish([b.sum(b.sum(huge), 0)]).program))
    spec = msgspec.structs.replace(run.spec, gradient=name)
    run.folder.write_spec(spec)
    run.folder.keep_records(0)
    with pytest.raises(LearnError) as caught:
        load_run(run.folder.path).find_weights()
    assert caught.value.code == "step-too-large"


@pytest.mark.parametrize("name", ["prediction", "update"])
def test_programs_that_do_not_fit_together_are_refused(run: Any, name: str) -> None:
    run.folder.write_spec(msgspec.structs.replace(run.spec, **{name: run.spec.gradient}))
    run.folder.keep_records(0)
    with pytest.raises(LearnError) as caught:
        load_run(run.folder.path).predict([[0.5] * 4])
    assert caught.value.code == "bad-run"
