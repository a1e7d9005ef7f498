"""What compiling did to a model, layer by layer: ranges, clipped shares and errors, for programs and for people."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct


class LayerReport(Struct, frozen=True):
    """One layer whose products run on int7 operands.

    Attributes:
        name: the module's path, or the name of the operation in the exported graph.
        kind: the operation, for example "linear".
        lo, hi: the range of the layer's input over the calibration data.
        clipped: the share of sampled input entries outside the range that the operand holds.
        smoothing: the strength of the scales that moved from activations into weights, 0 for none.
        limbs: how many int7 limbs an activation and a weight take.
        error: the root mean square error of the layer's output divided by the output's root mean square, on
            calibration data, with everything before the layer in integers too; NaN if it was not measured.
    """

    name: str
    kind: str
    lo: float
    hi: float
    clipped: float
    smoothing: float
    limbs: tuple[int, int]
    error: float = float("nan")


class Report(Struct, frozen=True):
    """All layers in the order in which they run, and the same error for each output of the model."""

    layers: tuple[LayerReport, ...]
    outputs: tuple[float, ...] = ()

    def __str__(self) -> str:
        """Return a table for people."""
        head = ("layer", "kind", "range", "clipped", "smoothed", "limbs", "error")
        rows = [_format_layer(layer) for layer in self.layers]
        rows += [(f"output {index}", "", "", "", "", "", _percent(each)) for index, each in enumerate(self.outputs)]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        return "\n".join("  ".join(_pad(row, widths)).rstrip() for row in (head, *rows))


def _format_layer(layer: LayerReport) -> tuple[str, ...]:
    span = f"{layer.lo:.3g} .. {layer.hi:.3g}"
    limbs = f"{layer.limbs[0]} x {layer.limbs[1]}"
    smoothing = f"{layer.smoothing:.2f}" if layer.smoothing else "-"
    return (layer.name, layer.kind, span, _percent(layer.clipped), smoothing, limbs, _percent(layer.error))


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.2f} %"


def _pad(row: Sequence[Any], widths: Sequence[int]) -> list[str]:
    pairs = list(zip(row, widths, strict=True))
    return [text.ljust(width) for text, width in pairs[:3]] + [text.rjust(width) for text, width in pairs[3:]]
