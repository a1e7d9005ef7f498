"""Models whose linear layers run on the certified engine; needs torch (the extra `bench`)."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `bench` is not installed")

import inos.torch  # noqa: E402


def make_model() -> "torch.nn.Module":
    torch.manual_seed(3)
    nn = torch.nn
    inner = nn.Sequential(nn.Linear(70, 33, bias=False), nn.Tanh())
    return nn.Sequential(nn.Linear(40, 70), nn.ReLU(), inner, nn.Linear(33, 5))


def test_every_linear_layer_is_replaced_and_computes_nearly_the_same() -> None:
    model = make_model()
    mined = inos.torch.mine(copy.deepcopy(model))
    kinds = [type(m).__name__ for m in mined.modules()]
    assert kinds.count("MinedLinear") == 3
    assert "Linear" not in kinds
    x = torch.randn(7, 11, 40)
    with torch.no_grad():
        plain, found = model(x), mined(x)
    assert found.shape == plain.shape == (7, 11, 5)
    assert (found - plain).norm() / plain.norm() < 0.05
    assert mined(x[:0]).shape == (0, 11, 5)


def test_one_layer_is_exactly_what_its_scales_say() -> None:
    layer = torch.nn.Linear(20, 6)
    mined = inos.torch.mine(copy.deepcopy(layer))
    x = torch.randn(4, 20, dtype=torch.float64)
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    scale_w = np.abs(w).max(axis=1, keepdims=True) / np.float32(63)
    scale_x = np.abs(x.numpy().astype(np.float32)).max(axis=1, keepdims=True) / np.float32(63)
    digits_w, digits_x = np.rint(w / scale_w), np.rint(x.numpy().astype(np.float32) / scale_x)
    expected = (digits_x @ digits_w.T) * (scale_x * scale_w.T) + b
    found = mined(x)
    assert found.dtype == torch.float64
    assert np.allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_attention_that_reads_its_weights_itself_is_left_alone() -> None:
    model = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    plain = copy.deepcopy(model).eval()
    mined = inos.torch.mine(model)
    assert isinstance(mined.self_attn.out_proj, torch.nn.Linear)
    assert isinstance(mined.linear1, inos.torch.MinedLinear)
    x = torch.randn(1, 3, 16)
    with torch.no_grad():
        assert (mined(x) - plain(x)).norm() / plain(x).norm() < 0.05
    assert torch.allclose(mined.linear1.weight, plain.linear1.weight, atol=0.01)


def test_matmul_takes_and_gives_tensors() -> None:
    a, b = torch.randn(9, 30), torch.randn(30, 4)
    found = inos.matmul(a, b)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    assert torch.allclose(found, a @ b, atol=1e-5)
    assert inos.matmul(a.to(torch.bfloat16), b.to(torch.bfloat16)).dtype == torch.float32
