"""A run that was interrupted goes on to the same bits, whatever was lost of its last moments."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inos.learn.errors import LearnError
from inos.learn.run import Run, load_run
from inos.learn.spec import RunSpec, StepRecord
from inos.learn.training import train_run
from inos.learn.verify import verify_run
from support.training_runs import make_run

STEPS = 9


class Stop(Exception):
    """Ends a run as a signal would."""


def stop_after(step: int) -> Any:
    def on_step(spec: RunSpec, record: StepRecord, seconds: float) -> None:
        if record.step == step:
            raise Stop

    return on_step


@pytest.fixture
def whole(tmp_path: Path) -> Run:
    return train_run(make_run(tmp_path / "whole", STEPS), checkpoint_every=4)


def test_the_loss_falls(tmp_path: Path) -> None:
    run = train_run(make_run(tmp_path / "run", 120))
    losses = run.list_losses()
    assert run.is_finished
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert sum(each.right for each in run.records[-10:]) > 0.9 * 160


def test_the_same_run_gives_the_same_bits(whole: Run, tmp_path: Path) -> None:
    again = train_run(make_run(tmp_path / "again", STEPS), checkpoint_every=1)
    assert again.head == whole.head
    assert train_run(make_run(tmp_path / "other", STEPS, seed=4)).head != whole.head


@pytest.mark.parametrize("step", [1, 4, 6])
def test_an_interrupted_run_goes_on(whole: Run, tmp_path: Path, step: int) -> None:
    run = make_run(tmp_path / "run", STEPS)
    with pytest.raises(Stop):
        train_run(run, checkpoint_every=4, on_step=stop_after(step))
    again = load_run(run.folder.path)
    assert len(again.records) == step
    assert train_run(again).head == whole.head


def test_a_killed_run_goes_on_from_its_last_checkpoint(whole: Run) -> None:
    """A kill leaves no checkpoint of the last steps, and may tear the last line and a file."""
    folder = whole.folder
    for record in whole.records[4:]:
        folder.drop(record.weights)
        folder.drop(record.state)
    head, place = whole.head, folder.path / "records.jsonl"
    place.write_bytes(place.read_bytes()[:-30])
    (folder.path / "files" / ".torn.partial").write_bytes(b"half")
    run = load_run(folder.path)
    assert len(run.records) == STEPS - 1
    assert train_run(run).head == head
    assert verify_run(load_run(folder.path)).last == STEPS


def test_a_process_that_is_killed_leaves_whole_steps(tmp_path: Path) -> None:
    """The process is killed by SIGKILL somewhere in its steps; another one goes on to the same bits."""
    steps = 300
    whole = train_run(make_run(tmp_path / "other", steps))
    run = make_run(tmp_path / "killed", steps)
    code = (
        "import sys; from inos.learn.run import load_run; from inos.learn.training import train_run; "
        "train_run(load_run(sys.argv[1]), checkpoint_every=40, on_step=lambda s, r, t: print(r.step, flush=True))"
    )
    command = [sys.executable, "-c", code, str(run.folder.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 130:
                process.kill()
                break
    killed = load_run(run.folder.path)
    assert 130 <= len(killed.records) < steps
    assert train_run(killed).head == whole.head


def test_a_run_does_not_go_on_from_a_forged_step(whole: Run) -> None:
    place = whole.folder.path / "records.jsonl"
    lines = place.read_bytes().split(b"\n")[:6]
    place.write_bytes(b"\n".join([*lines[:5], lines[5].replace(b'"right":', b'"right":1'), b""]))
    with pytest.raises(LearnError, match="step 6 is wrong: right"):
        train_run(load_run(whole.folder.path))


def test_a_finished_run_is_left_as_it_is(whole: Run) -> None:
    assert train_run(load_run(whole.folder.path)).head == whole.head


def test_weights_of_any_step_are_found(whole: Run) -> None:
    assert sorted(each.step for each in (whole.find_weights(n) for n in range(STEPS + 1))) == list(range(STEPS + 1))
    found = whole.parameters(3)["weight"]
    assert found.shape == (2, 4)
    with pytest.raises(LearnError) as caught:
        whole.find_weights(STEPS + 1)
    assert caught.value.code == "step-unknown"
