"""What the rules of all operations share: the program being written, calibration, options, the report."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import numpy as np
import torch

from inos.compiler.arithmetic import choose_bits, to_bits, to_fixed
from inos.compiler.errors import CannotCompile
from inos.compiler.observer import Observer
from inos.compiler.quantise import Limbs, Quantiser
from inos.compiler.report import LayerReport
from inos.compiler.tensors import Tensor, make_tensor
from inos.programs.builder import ProgramBuilder

Rule: TypeAlias = Callable[["Context", Any, Sequence[Any], Mapping[str, Any]], Any]
"""Writes one operation: (context, node, arguments, keyword arguments) -> tensor, or a list of tensors."""
RULES: Final[dict[str, Rule]] = {}
"""The rules by the name of torch's operation, without its overload."""

LIMBS: Final[Mapping[str, Limbs]] = {
    "none": Limbs(),
    "activations": Limbs(x=2),
    "weights": Limbs(w=2),
    "both": Limbs(2, 2),
}


R = TypeVar("R")


def registering(rules: dict[str, R]) -> Callable[..., Callable[[R], R]]:
    """Return a decorator that takes the names of operations, and registers a rule by each of them."""

    def rule(*names: str) -> Callable[[R], R]:
        def register(function: R) -> R:
            rules.update(dict.fromkeys(names, function))
            return function

        return register

    return rule


rule: Final = registering(RULES)
"""Registers the rule of the operations that it is given the names of."""


class Context:
    """The state of one compilation.

    Attributes:
        b: the program being written.
        folds: the batch norm that a convolution or linear layer takes in, by the layer's node.
        choices: the quantisers of layers, by node.
        layers: the report's rows so far, with the node whose output each describes.
        outputs: the tensor of every node.
    """

    def __init__(self, b: ProgramBuilder, seen: Observer, limbs: Mapping[str, Limbs], is_smoothed: bool) -> None:
        self.b, self.seen, self.is_smoothed = b, seen, is_smoothed
        self.folds: dict[Any, Any] = {}
        self.choices: dict[Any, Quantiser] = {}
        self.layers: list[tuple[LayerReport, Any]] = []
        self.outputs: dict[Any, Any] = {}
        self.limbs = limbs

    def get_bits(self, node: Any) -> int:
        """Return the fraction bits that a node's result should have by its range in calibration."""
        return choose_bits(self.seen.spans[node].peak)

    def get_limbs(self, node: Any) -> Limbs:
        """Return the limbs that the caller asked for, by the layer's path or name."""
        for pattern, limbs in self.limbs.items():
            if fnmatchcase(get_path(node), pattern) or fnmatchcase(node.name, pattern):
                return limbs
        return Limbs()

    def lift(self, x: Any, bits: int | None) -> Tensor:
        """Return a tensor of the program for a constant, with these bits; a tensor of the program stays what it is."""
        if isinstance(x, Tensor):
            return x if bits is None or x.bits is None else to_bits(x, bits)
        array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x)
        entries = array.astype(np.int64) if bits is None else to_fixed(array, bits)
        matrix = entries.reshape(-1, array.shape[-1] if array.ndim else 1)
        return make_tensor(self.b.constant(matrix), array.shape, bits)

    def refuse(self, node: Any, reason: str, hint: str) -> NoReturn:
        refuse(node, reason, hint)


def get_shape(node: Any) -> tuple[int, ...]:
    """Return the sizes of a node's result."""
    return tuple(node.meta["val"].shape)


def get_op(node: Any) -> str:
    """Return the name of a node's operation without its overload, for example "conv2d"."""
    name = getattr(node.target, "__name__", str(node.target))
    return str(name).split(".")[0]


def get_path(node: Any) -> str:
    """Return the path of the module that the node belongs to, or "" for the model itself."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def refuse(node: Any, reason: str, hint: str) -> NoReturn:
    """Refuse an operation: the message names it, its module and the line of code it comes from."""
    path = get_path(node)
    trace = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines() if line.strip()]
    lines = [line for line in trace if line.startswith("File ")]
    where = f"in module {path!r}" if path else "in the model itself"
    line = f", {lines[-1].split(', in ')[0].removeprefix('File ')}" if lines else ""
    raise CannotCompile("unsupported-operation", f"{get_op(node)} ({where}{line}): {reason}", hint=hint)


def to_array(x: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a constant tensor of torch as float64."""
    array: np.ndarray[Any, np.dtype[np.float64]] = x.detach().double().cpu().numpy()
    return array
