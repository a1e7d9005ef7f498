"""Compiled programs are saved and loaded without torch's help, and refuse inputs that they do not take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

import inos  # noqa: E402
from inos.programs import InvalidInput, compute_program_id, encode_program  # noqa: E402
from inos.work.files import compute_file_id  # noqa: E402


@pytest.fixture(scope="module")
def compiled() -> inos.CompiledProgram:
    torch.manual_seed(5)
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(40, 70), nn.ReLU(), nn.Linear(70, 33), nn.GELU(), nn.LayerNorm(33), nn.Linear(33, 5)
    )
    return inos.compile(model, torch.randn(8, 40), [torch.randn(8, 40) for _ in range(16)])


def make_input(seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(8, 40)).astype(np.float32)


def test_a_saved_model_gives_the_same_integers(compiled: inos.CompiledProgram, tmp_path: Path) -> None:
    compiled.save(tmp_path / "model")
    loaded = inos.load_compiled(tmp_path / "model")
    assert loaded.id == compiled.id == compute_program_id(compiled.program)
    assert loaded.id == compute_file_id(encode_program(compiled.program))
    assert (loaded.inputs, loaded.outputs, loaded.report) == (compiled.inputs, compiled.outputs, compiled.report)
    given = compiled.quantise_inputs(make_input())
    for one, other in zip(compiled.run_integers(given), loaded.run_integers(given), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert np.array_equal(compiled.run(make_input()), loaded.run(make_input()))


def test_a_damaged_or_missing_matrix_is_noticed(compiled: inos.CompiledProgram, tmp_path: Path) -> None:
    compiled.save(tmp_path)
    place = next(iter(sorted((tmp_path / "weights").glob("*.npy"))))
    array = np.load(place)
    array[0, 0] ^= 1
    np.save(place, array)
    with pytest.raises(InvalidInput, match="is not the one that the program names"):
        inos.load_compiled(tmp_path)
    place.unlink()
    with pytest.raises(InvalidInput, match="lacks the matrix"):
        inos.load_compiled(tmp_path)


def test_the_weights_are_the_matrices_that_the_program_names(compiled: inos.CompiledProgram) -> None:
    operands = [each for each in compiled.weights.values() if not isinstance(each, bytes)]
    assert sorted(each.shape for each in operands) == [(5, 33), (33, 70), (70, 40)]
    assert all(each.dtype == np.int8 and each.min() >= -63 and each.max() <= 63 for each in operands)


def test_products_are_made_by_the_function_that_the_caller_hands_over(compiled: inos.CompiledProgram) -> None:
    made = []

    def product(x: Any, w: Any, blocks: int) -> Any:
        made.append((x.shape, w.shape, blocks))
        return (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)

    assert np.array_equal(compiled.run(make_input(), product=product), compiled.run(make_input()))
    assert made == [((8, 40), (70, 40), 1), ((8, 70), (33, 70), 1), ((8, 33), (5, 33), 1)]
    assert compiled.cost().tickets == 1 * 5 * 1 + 1 * 3 * 1 + 1 * 1 * 1


def test_inputs_of_another_kind_are_refused_and_far_ones_clipped(compiled: inos.CompiledProgram) -> None:
    with pytest.raises(InvalidInput, match=r"2 inputs are given; the model takes input"):
        compiled.run(make_input(), make_input())
    with pytest.raises(InvalidInput, match=r"is \(7, 40\); the model takes \(8, 40\)"):
        compiled.run(make_input()[1:])
    with pytest.raises(InvalidInput, match="infinite numbers or NaN"):
        compiled.run(np.full((8, 40), np.inf))
    with pytest.raises(InvalidInput, match="the model takes floats"):
        compiled.run(np.full((8, 40), "a"))
    (entries,) = compiled.quantise_inputs(make_input() * 1e6)
    assert entries.max() == -entries.min() == compiled.checked.given[0].hi


def test_the_report_has_a_row_for_each_layer(compiled: inos.CompiledProgram) -> None:
    layers = compiled.report.layers
    assert [(each.name, each.kind, each.limbs) for each in layers] == [
        ("0", "linear", (1, 1)), ("2", "linear", (1, 1)), ("5", "linear", (1, 1)),
    ]  # fmt: skip
    assert all(0 < each.error < 0.04 and 0 <= each.clipped < 0.02 for each in layers)
    assert layers[1].lo == 0 < layers[1].hi
    assert compiled.report.outputs == (layers[2].error,)
    lines = str(compiled.report).splitlines()
    assert lines[0].split() == ["layer", "kind", "range", "clipped", "smoothed", "limbs", "error"]
    assert len(lines) == 5
    assert lines[-1].startswith("output 0")
    assert lines[-1].endswith(f"{100 * layers[2].error:.2f} %")
