"""Losses are drawn as text, and printed while a run goes on."""

import io
from pathlib import Path

from inos.learn.curve import LINES, Progress, draw_curve
from inos.learn.training import train_run
from support.training_runs import make_run


def test_a_curve_falls_from_the_upper_left_to_the_lower_right() -> None:
    lines = draw_curve([1 / n for n in range(1, 500)], width=40, height=8).split("\n")
    assert len(lines) == 9
    assert lines[0].strip().startswith("1 ┤") or "┤" in lines[0]
    assert lines[0][10] != chr(0x2800)
    assert lines[0][-1] == chr(0x2800)
    assert lines[7][-1] != chr(0x2800)
    assert lines[-1].endswith("499")


def test_few_or_equal_values_are_drawn_too() -> None:
    assert draw_curve([]) == "no steps yet"
    assert "┤" in draw_curve([0.5])
    assert "0.5" in draw_curve([0.5, 0.5, 0.5])


def test_a_run_prints_some_lines_and_the_last_step(tmp_path: Path) -> None:
    file = io.StringIO()
    run = make_run(tmp_path / "run", 60)
    train_run(run, on_step=Progress(60, file))
    lines = file.getvalue().splitlines()
    assert LINES <= len(lines) <= LINES + 6
    assert lines[-1].startswith("step 60 of 60  loss ")
    assert "right" in lines[-1]
