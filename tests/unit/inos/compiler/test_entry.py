"""What `inos.compile` refuses; needs torch but for the first test."""

import subprocess
import sys
from typing import Any

import pytest

import inos
from inos.compiler import CannotCompile


def test_without_torch_it_says_what_to_install_and_the_rest_works() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import inos, inos.compiler\n"
        "try:\n    inos.compile(None, None)\n"
        "except inos.InosError as error:\n    print(error.code, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "torch-missing pip install torch\n"


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="the extra `torch` is not installed")


def refuse(module: Any, example: Any, *args: Any, **options: Any) -> CannotCompile:
    with pytest.raises(CannotCompile) as error:
        inos.compile(module, example, *args, **options)
    return error.value


def test_arguments_are_checked(torch: Any) -> None:
    linear, x = torch.nn.Linear(4, 3), torch.randn(2, 4)
    assert refuse(len, x).code == "bad-module"
    assert refuse(linear, [[1.0]]).code == "bad-calibration"
    assert refuse(linear, x, []).code == "bad-calibration"
    error = refuse(linear, x, [x, torch.randn(3, 4)])
    assert error.code == "bad-calibration"
    assert "calibration input 1 has sizes [(3, 4)]; the example has [(2, 4)]" in error.message
    error = refuse(linear, x, limbs={"*": "three"})
    assert (error.code, error.hint) == ("bad-limbs", "use one of none, activations, weights, both")


def test_a_module_that_branches_on_data_is_refused(torch: Any) -> None:
    class Branching(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x + 1 if x.sum() > 0 else x

    error = refuse(Branching(), torch.randn(2, 4))
    assert error.code == "not-exportable"
    assert "must not branch on data" in error.hint


def test_a_batch_norm_in_training_is_compiled_in_eval_mode_and_left_in_training(torch: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).train()
    compiled = inos.compile(module, torch.randn(8, 4))
    assert module.training
    assert [each.name for each in compiled.report.layers] == ["0"]


def test_operations_say_what_to_do_instead(torch: Any) -> None:
    nn = torch.nn
    image = torch.randn(1, 2, 7, 7)
    for module, hint in (
        (nn.MaxPool2d(2, ceil_mode=True), "leave ceil_mode off"),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), "count_include_pad=True"),
        (nn.AdaptiveAvgPool2d(3), "choose sizes that divide"),
        (nn.BatchNorm2d(2, track_running_stats=False), "with running statistics"),
    ):
        assert hint in refuse(nn.Sequential(module), image).hint


def test_an_input_that_nothing_uses_is_refused_and_one_given_twice_is_two(torch: Any) -> None:
    class Sum(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, factor: int) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: Any, y: Any) -> Any:
            return x + self.factor * y if self.factor else x + 1

    x = torch.tensor([[1.0, -2.0]])
    assert "remove it from forward()" in refuse(Sum(0), (x, x)).hint
    compiled = inos.compile(Sum(2), (x, x))
    assert compiled.run(x, 0 * x).tolist() == [[1, -2]]
    assert compiled.run(0 * x, x).tolist() == [[2, -4]]


def test_a_model_of_half_precision_is_compiled_as_float32(torch: Any) -> None:
    module, x = torch.nn.Linear(8, 4).bfloat16(), torch.randn(64, 8).bfloat16()
    compiled = inos.compile(module, x)
    assert module.weight.dtype is torch.bfloat16
    assert compiled.report.outputs[0] < 0.03
    with torch.no_grad():
        assert abs(compiled.run(x.float()) - module(x).float().numpy()).max() < 0.1


def test_limbs_are_chosen_by_the_path_of_the_module(torch: Any) -> None:
    nn = torch.nn
    module = nn.Sequential(nn.Linear(20, 20), nn.Sequential(nn.Linear(20, 20), nn.ReLU()), nn.Linear(20, 4))
    batches = [torch.randn(16, 20) for _ in range(8)]
    compiled = inos.compile(module, batches[0], batches, limbs={"1.*": "activations", "2": "both"})
    assert [each.limbs for each in compiled.report.layers] == [(1, 1), (2, 1), (2, 2)]
    plain = inos.compile(module, batches[0], batches)
    assert plain.cost().tickets == 2 + 2 + 1
    assert compiled.cost().tickets == 2 + 2 * 2 + 4 * 1
    full = inos.compile(module, batches[0], batches, limbs="both")
    assert full.report.outputs[0] < 0.001 < plain.report.outputs[0]
