"""Runs every input again from which the fuzzer learned something, without the fuzzer."""

from pathlib import Path

import pytest

from fuzz import run
from fuzz.seeds import CORPUS, list_seeds
from fuzz.targets import TARGETS, join_frames, split_frames

INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_corpus_finds_nothing(name: str) -> None:
    inputs = [path for path in INPUTS if path.parent.name == name]
    assert inputs, f"no corpus for {name}: run python -m fuzz.seeds"
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path}: {error!r}") from error


def test_every_seed_is_understood_by_the_present_code() -> None:
    """A seed that no longer decodes would only fuzz the refusal."""
    for name, data in list_seeds():
        TARGETS[name](data)


def test_frames_are_split_as_they_were_joined() -> None:
    frames = [b"", b"a", b"bc" * 300]
    assert split_frames(join_frames(frames)) == frames


def test_inputs_are_counted_over_runs_until_there_were_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int]] = []

    def fuzz_some(name: str, seconds: float, findings: Path, *, keep: bool, most: int) -> int:
        asked.append((name, most))
        return min(most, 60)

    monkeypatch.setattr(run, "run", fuzz_some)
    monkeypatch.setattr("sys.argv", ["run", "--until", "150", "--findings", str(tmp_path), "http", "rpc"])
    for said in ("120 of 150", "150 of 150", "150 of 150"):
        assert run.main() == 0
        assert said in capsys.readouterr().out
    assert asked == [("http", 150), ("rpc", 90), ("http", 30)]
    assert run.read_counts(tmp_path) == {"http": 90, "rpc": 60}
