"""Every layer that the compiler knows computes in integers what it computes in floats; needs torch (extra `torch`)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

import inos  # noqa: E402
from inos.compiler import CannotCompile  # noqa: E402

nn, functional = torch.nn, torch.nn.functional


class Call(nn.Module):  # type: ignore[misc, name-defined]
    """A module whose forward is any function of its submodules and inputs."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def make_batches(*sizes: tuple[int, ...], count: int = 17) -> list[tuple[Any, ...]]:
    torch.manual_seed(7)
    return [tuple(torch.randn(each) for each in sizes) for _ in range(count)]


def compare(module: Any, batches: list[tuple[Any, ...]], **options: Any) -> float:
    """Compile for the first batch, and return the relative error of the last one, which calibration did not see."""
    compiled = inos.compile(module, batches[0], batches[:-1], **options)
    found = compiled.run(*batches[-1])
    with torch.no_grad():
        wanted = module.eval()(*batches[-1])
    pairs = list(zip(found, wanted, strict=True)) if isinstance(wanted, tuple) else [(found, wanted)]
    errors = []
    for got, real in pairs:
        assert got.shape == tuple(real.shape)
        real = real.double().numpy()
        errors.append(float(np.linalg.norm(got - real) / np.linalg.norm(real)))
    return max(errors)


IMAGE = (2, 4, 9, 8)
torch.manual_seed(5)  # the weights below, whatever was imported before
LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (nn.Linear(20, 6), (3, 5, 20)),
    "linear of one row": (nn.Linear(20, 6, bias=False), (20,)),
    "conv2d": (nn.Conv2d(4, 6, 3), IMAGE),
    "conv2d with padding and stride": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2)), IMAGE),
    "conv2d same, dilated": (nn.Conv2d(4, 6, 3, padding="same", dilation=2), IMAGE),
    "conv2d in groups": (nn.Conv2d(4, 8, 3, groups=2, padding=1), IMAGE),
    "conv2d by channel": (nn.Conv2d(4, 4, 3, groups=4), IMAGE),
    "conv2d of one place": (nn.Conv2d(4, 6, 1), IMAGE),
    "conv1d": (nn.Conv1d(4, 6, 5, stride=2, padding=2), (2, 4, 31)),
    "conv1d same": (nn.Conv1d(4, 6, 3, padding="same", bias=False), (2, 4, 30)),
    "conv and batch norm": (nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), IMAGE),
}
EXACT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "max_pool2d": (nn.MaxPool2d(3, stride=2, padding=1), IMAGE),
    "max_pool2d dilated": (nn.MaxPool2d(2, stride=1, dilation=2), IMAGE),
    "max_pool1d": (nn.MaxPool1d(3), (2, 4, 31)),
    "avg_pool2d": (nn.AvgPool2d(2, padding=1), IMAGE),
    "avg_pool1d": (nn.AvgPool1d(3), (2, 4, 31)),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d((3, 2)), IMAGE),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(5), (2, 4, 30)),
    "batch norm alone": (nn.BatchNorm2d(4), IMAGE),
    "layer norm": (nn.LayerNorm(20), (3, 5, 20)),
    "layer norm of two dimensions": (nn.LayerNorm((5, 20)), (3, 5, 20)),
    "layer norm without gain": (nn.LayerNorm(20, elementwise_affine=False), (3, 5, 20)),
    "rms norm": (nn.RMSNorm(20), (3, 5, 20)),
    "relu": (nn.ReLU(), IMAGE),
    "relu6": (nn.ReLU6(), IMAGE),
    "gelu": (nn.GELU(), IMAGE),
    "gelu by tanh": (nn.GELU(approximate="tanh"), IMAGE),
    "silu": (nn.SiLU(), IMAGE),
    "tanh": (nn.Tanh(), IMAGE),
    "sigmoid": (nn.Sigmoid(), IMAGE),
    "elu": (nn.ELU(), IMAGE),
    "leaky relu": (nn.LeakyReLU(0.1), IMAGE),
    "softmax": (nn.Softmax(-1), (3, 5, 20)),
    "softmax of another dimension": (nn.Softmax(1), (3, 5, 20)),
}  # fmt: skip


def set_norms(module: Any) -> None:
    """Give norms gains, offsets and statistics that are not those of a new module."""
    generator = torch.Generator().manual_seed(3)
    for each in [*module.parameters(), *module.buffers()]:
        if each.ndim == 1 and each.is_floating_point():
            with torch.no_grad():
                each.copy_(torch.rand(each.shape, generator=generator) + 0.5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_weights_is_within_its_seven_bits(name: str) -> None:
    module, sizes = LAYERS[name]
    set_norms(module)
    batches = make_batches(sizes)
    assert compare(module, batches) < 0.04
    assert compare(module, batches, limbs="both") < 0.0005


@pytest.mark.parametrize("name", EXACT)
def test_a_layer_without_products_is_nearly_exact(name: str) -> None:
    module, sizes = EXACT[name]
    set_norms(module)
    assert compare(module, make_batches(sizes)) < 0.002


VIEWS: dict[str, Callable[..., Any]] = {
    "reshape": lambda _, x: x.permute(2, 0, 1).reshape(8, -1) + 0.5,
    "slices": lambda _, x: x[1:, ::2, -3:] * 2,
    "cat": lambda _, x: torch.cat([x[:, 3:], x[:, :3]], 1) - torch.cat([x, x], 0)[4:],
    "cat of columns": lambda _, x: torch.cat([x, x[..., :2]], -1),
    "stack": lambda _, x: torch.stack([x, -x], 1).flatten(1, 2),
    "parts": lambda _, x: x.chunk(2, -1)[0] + x.split([4, 4], -1)[1] - x.unbind(0)[2][:, :4],
    "broadcast": lambda _, x: x + x.mean(-1, keepdim=True) - x.mean((0, 1)),
    "products": lambda _, x: functional.silu(x) * x.transpose(0, 1).transpose(0, 1) / 3,
    "six dimensions": lambda _, x: x.view(2, 2, 3, 2, 2, 4).permute(5, 0, 3, 1, 4, 2).reshape(16, -1) + x.view(16, 12),
    "squares": lambda _, x: x.pow(2).sum(1) + x.abs().amax(1),
    "repeated": lambda _, x: x.repeat(2, 1, 3)[:4, :, :8] + x.repeat_interleave(3, 1)[:, 2:8],
    "expand": lambda _, x: x[:1].expand(4, 6, 8) * x,
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_and_sums_are_nearly_exact(name: str) -> None:
    batches = make_batches((4, 6, 8))
    assert compare(Call(VIEWS[name]), batches) < 0.002


def attend(module: Any, x: Any, **options: Any) -> Any:
    q, k, v = x.view(2, 7, 3, 4, 8).permute(2, 0, 3, 1, 4)
    return functional.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(2)


def attend_by_hand(module: Any, x: Any) -> Any:
    q, k, v = x.view(2, 7, 3, 4, 8).permute(2, 0, 3, 1, 4)
    scores = (q @ k.transpose(-2, -1) / 8**0.5).masked_fill(~module.mask, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def share_keys(module: Any, x: Any) -> Any:
    q = x.view(2, 7, 12, 8).transpose(1, 2)
    keys, values = q[:, :2] * module.each, q[:, 2:4] * module.each
    return functional.scaled_dot_product_attention(q[:, 4:8], keys, values, is_causal=True, enable_gqa=True)


MASK = torch.ones(7, 7, dtype=torch.bool).tril(2)
ATTENTION: dict[str, Any] = {
    "all": Call(attend),
    "causal": Call(lambda m, x: attend(m, x, is_causal=True)),
    "boolean mask": Call(lambda m, x: attend(m, x, attn_mask=m.mask), mask=MASK),
    "added mask": Call(lambda m, x: attend(m, x, attn_mask=m.mask), mask=torch.where(MASK, 0.5, -torch.inf)),
    "keys for several heads": Call(share_keys, each=torch.tensor([1.0, 0.5]).view(2, 1, 1)),
    "by hand": Call(attend_by_hand, mask=MASK),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name: str) -> None:
    batches = make_batches((2, 7, 96))
    assert compare(ATTENTION[name], batches) < 0.04
    assert compare(ATTENTION[name], batches, limbs="both") < 0.002


def test_a_mask_may_be_an_input() -> None:
    module = Call(lambda m, x, mask: attend(m, x, attn_mask=mask))
    batches = [(x, torch.rand(2, 1, 7, 7) < 0.8) for (x,) in make_batches((2, 7, 96))]
    for _, mask in batches:
        mask[..., 0] = True
    assert compare(module, batches) < 0.03


def test_multihead_attention_and_encoder_layers_of_torch() -> None:
    torch.manual_seed(1)
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True, dropout=0.1)
    assert compare(layer, make_batches((2, 5, 16))) < 0.03


def test_tokens_are_looked_up_and_argmax_names_the_first_largest() -> None:
    torch.manual_seed(2)
    module = Call(lambda m, t: (m.table(t), m.table(t).argmax(-1)), table=nn.Embedding(9, 12))
    tokens = torch.arange(9).view(3, 3)
    compiled = inos.compile(module, tokens)
    vectors, best = compiled.run(tokens)
    table = module.table.weight.detach().numpy()
    assert np.abs(vectors.reshape(9, 12) - table).max() < 1e-4
    assert best.reshape(9).tolist() == table.argmax(1).tolist()
    ties = inos.compile(Call(lambda m, x: x.argmax(1)), torch.eye(3))
    assert ties.run(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])).tolist() == [0, 1, 0]


def test_what_has_no_rule_is_refused_with_its_place() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.GroupNorm(2, 4)))
    with pytest.raises(CannotCompile, match=r"group_norm \(in module '1.0', .*the compiler has no rule") as error:
        inos.compile(module, torch.randn(2, 4))
    assert error.value.code == "unsupported-operation"
