"""PyTorch models whose linear layers mine: `inos.torch.mine(model)`, then run it in `with inos.Miner(url):`.

Nothing else in the project imports this module, so that nothing else needs torch.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inos.client.errors import ClientError
from inos.client.miner import Miner, get_current
from inos.primitives.matrices import MAX_DEPTH
from inos.work import Operand
from inos.work import mine as multiply
from inos.work.quantised import quantise_rows, scale_product

__all__ = ["MinedLinear", "mine"]

NO_ANCHOR: Final = bytes(32)


class MinedLinear(nn.Module):
    """A linear layer on the certified engine, for inference.

    The weight is int7 with one scale per output channel, and the input int7 with one scale per row. Their product is
    exact, and every 16 x 16 x 1024 piece of it draws a ticket if a Miner runs.

    Args:
        linear: the layer to replace, with at most 65,536 inputs.
        miner: draws the tickets; by default this is the `inos.Miner` whose `with` block is open, if there is one.
    """

    def __init__(self, linear: nn.Linear, miner: Miner | None = None) -> None:
        super().__init__()
        if linear.in_features > MAX_DEPTH:
            raise ClientError("bad-shape", f"a layer with {linear.in_features} inputs is deeper than {MAX_DEPTH}")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._miner = miner
        entries, scale = quantise_rows(_to_array(linear.weight))
        self._weight = Operand.commit(entries, copy=False)
        self.register_buffer("weight_scale", torch.from_numpy(scale))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float().clone())

    @property
    def weight(self) -> torch.Tensor:
        """The weight as it is multiplied, out x in, for code that reads it."""
        return torch.tensor(self._weight.array).float() * self.weight_scale.cpu()[:, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., in_features) to (..., out_features), in x's type; no gradient flows through it."""
        rows = _to_array(x).reshape(-1, self.in_features)
        if not len(rows):
            return x.new_zeros((*x.shape[:-1], self.out_features))
        entries, scale = quantise_rows(rows)
        bias = np.zeros(self.out_features, np.float32) if self.bias is None else _to_array(self.bias)
        y = scale_product(self._multiply(entries), scale, _to_array(self.weight_scale), bias)
        return torch.from_numpy(y).reshape(*x.shape[:-1], self.out_features).to(x)

    def _multiply(self, rows: NDArray[np.int8]) -> NDArray[np.int32]:
        miner = self._miner or get_current()
        if miner is not None:
            return miner.matmul(Operand.commit(rows, copy=False), self._weight)
        product = multiply(rows, self._weight, NO_ANCHOR, 0).product
        assert product is not None  # nobody stops it
        return product

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def mine(model: nn.Module, miner: Miner | None = None) -> nn.Module:
    """Replace every `nn.Linear` in `model` by a certified int7 one, in place, and return the model, set to evaluation.

    Layers whose weights another module reads by itself (those inside `nn.MultiheadAttention`) are left alone.

    Args:
        miner: see `MinedLinear`.
    """
    if isinstance(model, nn.Linear):
        return MinedLinear(model, miner).eval()
    _replace(model, miner)
    return model.eval()


def _replace(module: nn.Module, miner: Miner | None) -> None:
    if isinstance(module, nn.TransformerEncoderLayer):
        module.activation_relu_or_gelu = 0  # otherwise a fused kernel reads the weights and skips the layers
    for name, child in module.named_children():
        if isinstance(child, nn.MultiheadAttention):
            continue
        if isinstance(child, nn.Linear):
            setattr(module, name, MinedLinear(child, miner))
        else:
            _replace(child, miner)


def _to_array(values: torch.Tensor) -> NDArray[np.float32]:
    """Return the values as float32, in row order."""
    array: NDArray[np.float32] = values.detach().float().contiguous().cpu().numpy()
    return array
