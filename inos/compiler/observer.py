"""Runs the exported float graph on the calibration data and keeps what quantisation needs of it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from msgspec import Struct

from inos.compiler.quantise import Samples

ROWS: Final = 1024
"""Rows of a linear layer's input that are kept of all batches together; images are as many as hold 2^18 entries."""
ENTRIES: Final = 1 << 18


class Span(Struct):
    """The range of a tensor's finite entries."""

    lo: float = float("inf")
    hi: float = float("-inf")

    @property
    def peak(self) -> float:
        return max(-self.lo, self.hi, 0.0)


class Observer(torch.fx.Interpreter):
    """Notes every result's range, the samples of layers' inputs, the heads' ranges of attention, and constants."""

    def __init__(self, graph: Any, channel_axes: dict[Any, int], constants: set[Any], batches: int) -> None:
        super().__init__(graph)
        self.spans: dict[Any, Span] = {}
        self.heads: dict[Any, Any] = {}
        self.constants: dict[Any, Any] = {}
        self.firsts: dict[Any, Any] = {}
        """Each result's value for the first batch, and that of the constants."""
        self._axes, self._constant_nodes, self._batches = channel_axes, constants, batches
        self._rows: dict[Any, list[Any]] = {}
        self._bounds: dict[Any, tuple[Any, Any]] = {}
        self._generator = torch.Generator().manual_seed(0)

    def run_node(self, node: Any) -> Any:
        result = super().run_node(node)
        if node in self._constant_nodes:
            self.constants.setdefault(node, result)
        elif node.op != "output":
            self.firsts.setdefault(node, _detach(result))
            if isinstance(result, torch.Tensor) and result.numel():
                self._note_span(node, result)
        if node in self._axes:
            self._note_samples(node, self.env[node.args[0]])
        return result

    def get_samples(self, node: Any) -> Samples:
        """Return what was seen of the input of a layer."""
        rows = torch.cat(self._rows[node]).double().numpy()
        lo, hi = self._bounds[node]
        return Samples(rows, self._axes[node] % rows.ndim, lo.double().numpy(), hi.double().numpy())

    def _note_span(self, node: Any, result: Any) -> None:
        span = self.spans.setdefault(node, Span())
        finite = result[torch.isfinite(result)] if result.is_floating_point() else result
        if finite.numel():
            span.lo, span.hi = min(span.lo, float(finite.min())), max(span.hi, float(finite.max()))
        if result.ndim >= 4 and result.is_floating_point():
            axis = (
                result.ndim - 3
            )  # the heads of attention, if this is an operand of it; of three, the first is a batch
            peak = torch.nan_to_num(result.abs(), posinf=0).movedim(axis, 0).flatten(1).amax(1).double().numpy()
            self.heads[node] = np.maximum(self.heads.get(node, 0.0), peak)

    def _note_samples(self, node: Any, x: Any) -> None:
        axis = self._axes[node]
        by_channel = x.movedim(axis, 0).reshape(x.shape[axis], -1)
        lo, hi = by_channel.amin(1), by_channel.amax(1)
        if node in self._bounds:
            lo, hi = torch.minimum(lo, self._bounds[node][0]), torch.maximum(hi, self._bounds[node][1])
        self._bounds[node] = lo, hi
        if axis == -1:
            rows = x.reshape(-1, x.shape[-1])
            kept = max(1, ROWS // self._batches)
        else:
            rows = x
            kept = max(1, ENTRIES // max(1, x[0].numel()) // self._batches)
        chosen = torch.randperm(len(rows), generator=self._generator)[:kept]
        self._rows.setdefault(node, []).append(rows[chosen].clone())


def _detach(result: Any) -> Any:
    if isinstance(result, Sequence):
        return [_detach(each) for each in result]
    return result.detach().clone() if isinstance(result, torch.Tensor) else result
