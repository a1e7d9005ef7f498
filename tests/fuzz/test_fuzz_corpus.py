"""Runs every input again from which the fuzzer learned something, without the fuzzer."""

import pytest

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
