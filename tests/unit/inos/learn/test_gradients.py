"""The gradient of a small network: that of a plain reference in numpy, in the direction of autograd."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

from inos.learn.data import read_data  # noqa: E402
from inos.learn.gradients import build_gradient  # noqa: E402
from inos.learn.graph import export  # noqa: E402
from inos.programs import check_program, run_program  # noqa: E402
from inos.programs.kernels import draw_random  # noqa: E402

IN, HIDDEN, OUT, EXAMPLES, COUNT = 12, 20, 5, 16, 90


def make_case() -> tuple[Any, Any, Any]:
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    module = torch.nn.Sequential(torch.nn.Linear(IN, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, OUT))
    return module, rng.integers(0, 17, (COUNT, IN)) / 16, rng.integers(0, OUT, COUNT)


def draw(control: Any, rows: int, count: int) -> Any:
    halves = draw_random(np.append(control, 1)[None], rows, 2, 16).astype(np.int64) + (1 << 15)
    return (halves[:, 0] * 65536 + halves[:, 1]) * count >> 32


def quantise(x: Any, levels: int) -> Any:
    """Return real numbers rounded to so many levels of their largest magnitude."""
    step = np.abs(x).max() / levels
    return np.round(x / step) * step


def compute_reference(module: Any, x: Any, y: Any) -> tuple[Any, float, int]:
    """Return the gradient, the loss and the right guesses of the same algorithm, plainly in numpy."""
    w1, b1, w2, b2 = [each.detach().double().numpy() for each in module.parameters()]
    x7, w1_7, w2_7 = quantise(x, 63), quantise(w1, 63), quantise(w2, 63)
    h = np.maximum(x7 @ w1_7.T + b1, 0)
    h7 = quantise(h, 63)
    z = h7 @ w2_7.T + b2
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    d2 = p - np.eye(OUT)[y]
    d2_14 = quantise(d2, 8127)
    d1 = (d2_14 @ w2_7) * (h > 0)
    d1_14 = quantise(d1, 8127)
    parts = [d1_14.T @ x7, d1.sum(0), d2_14.T @ h7, d2.sum(0)]
    row = np.concatenate([part.ravel() for part in parts]) / EXAMPLES
    return row, float(-np.log(p[np.arange(EXAMPLES), y]).sum()), int((z.argmax(1) == y).sum())


def run(module: Any, x: Any, y: Any, control: Any, engine: Any = "auto") -> Any:
    data = read_data((x.astype(np.float32), y))
    graph = export(module, torch.zeros(EXAMPLES, IN))
    built = build_gradient(graph, data, "cross_entropy", EXAMPLES)
    checked = check_program(built.program)
    return run_program(checked, [np.array([control]), graph.weights], built.load, engine=engine)


def test_the_gradient_is_that_of_a_plain_reference() -> None:
    module, x, y = make_case()
    for control in ([5, 1, 0], [5, 2, 1]):
        index = draw(control, EXAMPLES, COUNT)
        gradient, metrics = run(module, x, y, control)
        wanted, loss, right = compute_reference(module, x[index], y[index])
        away = np.abs(gradient[0] / 2.0**28 - wanted) / np.abs(wanted).max()
        assert np.median(away) < 1e-4
        assert away.max() < 5e-3, "an activation between two levels may be rounded the other way"
        assert metrics[0, 0] / 4096 == pytest.approx(loss, rel=1e-3)
        assert metrics[0, 1] == right


def test_the_gradient_points_where_autograd_does() -> None:
    module, x, y = make_case()
    index = draw([5, 1, 0], EXAMPLES, COUNT)
    gradient = run(module, x, y, [5, 1, 0])[0][0] / 2.0**28
    result = module(torch.tensor(x[index], dtype=torch.float32))
    torch.nn.functional.cross_entropy(result, torch.tensor(y[index])).backward()
    wanted = np.concatenate([each.grad.numpy().ravel() for each in module.parameters()])
    assert gradient @ wanted / np.linalg.norm(gradient) / np.linalg.norm(wanted) > 0.9995
    assert np.linalg.norm(gradient) == pytest.approx(np.linalg.norm(wanted), rel=1e-2)


def test_both_interpreters_give_the_same_bits() -> None:
    module, x, y = make_case()
    for one, other in zip(run(module, x, y, [5, 1, 0]), run(module, x, y, [5, 1, 0], "numpy"), strict=True):
        assert np.array_equal(one, other)


def test_examples_are_drawn_from_all_and_differ_by_seed_step_and_shard() -> None:
    assert set(draw([1, 1, 0], 4000, 50)) == set(range(50))
    draws = [tuple(draw(control, 20, 1000)) for control in ([1, 1, 0], [2, 1, 0], [1, 2, 0], [1, 1, 1])]
    assert len(set(draws)) == 4


def test_the_module_stays_as_it_is() -> None:
    module, x, y = make_case()
    module.train()
    before = [each.detach().clone() for each in module.parameters()]
    run(module, x, y, [5, 1, 0])
    assert module.training
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
