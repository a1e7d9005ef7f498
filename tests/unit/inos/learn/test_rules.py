"""Every operation that training knows has autograd's gradient, to within the seven bits of operands."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

from inos.learn.data import Tokens, read_data  # noqa: E402
from inos.learn.errors import LearnError  # noqa: E402
from inos.learn.gradients import build_gradient  # noqa: E402
from inos.learn.graph import export  # noqa: E402
from inos.learn.parameters import Parameter  # noqa: E402
from inos.programs import check_program, run_program  # noqa: E402
from inos.programs.kernels import draw_random  # noqa: E402

nn, functional = torch.nn, torch.nn.functional
EXAMPLES, COUNT, CLASSES = 12, 40, 4


class Call(nn.Module):  # type: ignore[misc, name-defined]
    """A module whose forward is any function of its parts and its input."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def compare(module: Any, inputs: Any, least: float = 0.99, window: int = 0) -> None:
    """Compare the gradient of every parameter with autograd's on the same examples: their cosine, and their length."""
    targets = np.random.default_rng(5).integers(0, CLASSES, len(inputs))
    data = read_data(Tokens(inputs, window) if window else (inputs, targets))
    control = [3, 1, 0]
    halves = draw_random(np.append(control, 1)[None], EXAMPLES, 2, 16).astype(np.int64) + (1 << 15)
    index = (halves[:, 0] * 65536 + halves[:, 1]) * data.count >> 32
    if window:
        places = index[:, None] + np.arange(window + 1)
        x, y = torch.tensor(inputs[places[:, :-1]]), torch.tensor(inputs[places[:, 1:]])
    else:
        x, y = torch.tensor(inputs[index]), torch.tensor(targets[index])
    graph = export(module, x)
    built = build_gradient(graph, data, "cross_entropy", EXAMPLES)
    found, metrics = run_program(check_program(built.program), [np.array([control]), graph.weights], built.load)
    result = module(x)
    loss = functional.cross_entropy(result.flatten(0, -2), y.flatten())
    loss.backward()
    assert metrics[0, 0] / 4096 / y.numel() == pytest.approx(loss.item(), rel=0.05)
    wanted = dict(module.named_parameters(remove_duplicate=False))
    for each in graph.parameters:
        check_direction(each, found[0] / 2.0**28, wanted[each.name].grad.numpy().ravel(), least)


def check_direction(each: Parameter, row: Any, wanted: Any, least: float) -> None:
    part = row[each.first : each.first + wanted.size]
    cosine = part @ wanted / np.linalg.norm(part) / np.linalg.norm(wanted)
    assert cosine > least, f"{each.name}: {cosine}"
    length = np.linalg.norm(part) / np.linalg.norm(wanted)
    assert abs(length - 1) < 2 * np.sqrt(1 - least**2), f"{each.name}: {length}"


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(2)


def make(*sizes: int) -> Any:
    return np.random.default_rng(1).normal(0, 1, (COUNT, *sizes)).astype(np.float32)


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Tanh(), nn.Sigmoid()],
    ids=["relu", "gelu", "gelu-tanh", "silu", "tanh", "sigmoid"],
)
def test_activations(activation: Any) -> None:
    compare(nn.Sequential(nn.Linear(10, 24), activation, nn.Linear(24, CLASSES)), make(10))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 6),
        ({"padding": 1}, 6),
        ({"padding": 1, "stride": 2}, 7),
        ({"stride": 2}, 8),
        ({"padding": 2, "dilation": 2}, 6),
    ],
)
def test_convolutions(options: Any, size: int) -> None:
    first, second = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 6, 3, **options)
    places = (size + 2 * options.get("padding", 0) - 2 * options.get("dilation", 1) - 1) // options.get("stride", 1) + 1
    module = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(6 * places**2, CLASSES))
    compare(module, make(2, size, size), 0.9)  # few bits, and biases whose sums nearly cancel


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)], ids=["max", "mean"])
def test_pools(pool: Any) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(36, CLASSES))
    compare(module, make(1, 6, 6))


def test_layer_norm_and_a_branch_around_layers() -> None:
    module = Call(
        lambda m, x: m.head(m.norm(m.into(x) + m.out(functional.gelu(m.inner(m.into(x)))))),
        into=nn.Linear(8, 16), inner=nn.Linear(16, 32), out=nn.Linear(32, 16), norm=nn.LayerNorm(16),
        head=nn.Linear(16, CLASSES),
    )  # fmt: skip
    compare(module, make(8))


def test_sums_products_means_and_parts() -> None:
    def forward(m: Any, x: Any) -> Any:
        a, b = m.first(x).chunk(2, -1)
        c = torch.cat([a * b, (a - b) / 2, a[:, 1:4]], 1)
        return m.last(c).unflatten(1, (CLASSES, 3)).mean(-1) + m.offset

    module = Call(
        forward, first=nn.Linear(8, 12), last=nn.Linear(15, 3 * CLASSES), offset=nn.Parameter(torch.ones(CLASSES))
    )
    compare(module, make(8))


def attend(m: Any, tokens: Any) -> Any:
    """One block of a causal transformer, with two heads."""
    b, t = tokens.shape
    x = m.letter(tokens) + m.place[:t]
    q, k, v = m.split(m.before(x)).view(b, t, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
    y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    x = x + m.join(y.transpose(1, 2).flatten(2))
    return m.head(m.end(x))


def make_transformer() -> Any:
    return Call(
        attend, letter=nn.Embedding(CLASSES, 16), place=nn.Parameter(torch.randn(6, 16) / 4), before=nn.LayerNorm(16),
        split=nn.Linear(16, 48), join=nn.Linear(16, 16), end=nn.LayerNorm(16), head=nn.Linear(16, CLASSES),
    )  # fmt: skip


def test_a_transformer_reads_tokens() -> None:
    tokens = np.random.default_rng(3).integers(0, CLASSES, 90)
    compare(make_transformer(), tokens, 0.97, window=6)


def test_a_weight_that_two_layers_share_gets_both_gradients() -> None:
    def forward(m: Any, tokens: Any) -> Any:
        return functional.linear(torch.tanh(m.letter(tokens)), m.letter.weight)

    tokens = np.random.default_rng(3).integers(0, CLASSES, 90)
    compare(Call(forward, letter=nn.Embedding(CLASSES, 12)), tokens, window=5)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda m, x: m.first(x).cumsum(-1), "cumsum (in the model itself"),
        (lambda m, x: m.first(x) / m.first(x).exp(), "exp"),
    ],
)
def test_an_operation_without_a_rule_is_named(function: Any, words: str) -> None:
    module = Call(function, first=nn.Linear(8, CLASSES))
    with pytest.raises(LearnError) as caught:
        compare(module, make(8))
    assert caught.value.code == "unsupported-operation"
    assert words in str(caught.value)


def test_a_parameter_that_nothing_uses_is_left_out() -> None:
    def forward(m: Any, x: Any) -> Any:
        m.other(x)
        return m.first(x)

    module = Call(forward, first=nn.Linear(8, CLASSES), other=nn.Linear(8, 3))
    compare(module, make(8))  # torch.export leaves such a parameter out
    assert [each.name for each in export(module, torch.zeros(2, 8)).parameters] == ["first.weight", "first.bias"]
