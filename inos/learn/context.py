"""The context holds what all rules share while a gradient's program is written, and walks back through them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import torch

from inos.compiler.context import get_op, get_path, registering
from inos.compiler.tensors import Tensor, make_tensor, replace_value, to_matrix
from inos.learn.errors import LearnError
from inos.learn.fixed import (
    ACTIVATION_BITS,
    ACTIVATION_LIMIT,
    ERROR_BITS,
    ERROR_LIMIT,
    GRADIENT_BITS,
    quantise_floats,
    to_gradient,
)
from inos.programs.builder import ProgramBuilder, Value

Back: TypeAlias = Callable[[Any], Sequence[tuple[Any, Tensor]]]
"""Takes the error of a node's result; returns the errors of the nodes that it was computed from."""
Rule: TypeAlias = Callable[["Context", Any, Sequence[Any], Mapping[str, Any]], tuple[Any, Back]]
"""Writes one operation: (context, node, arguments, keyword arguments) -> its result, and the way back."""
RULES: Final[dict[str, Rule]] = {}
"""The rules by the name of torch's operation, without its overload."""


rule: Final = registering(RULES)
"""Registers the rule of the operations that it is given the names of."""


class Context:
    """Holds a program that is being written.

    Attributes:
        b: the builder.
        examples: how many terms the loss is a mean of; gradients are divided by it.
        levels: of errors as operands.
        outputs: the result of each node that was written: tensors, or constants of torch.
        trained: the nodes that depend on a parameter.
    """

    def __init__(self, b: ProgramBuilder, examples: int, levels: int) -> None:
        self.b, self.examples, self.levels = b, examples, levels
        self.outputs: dict[Any, Any] = {}
        self.trained: set[Any] = set()
        self.backs: dict[Any, Back] = {}

    def write_node(self, node: Any) -> None:
        """Write one operation by its rule, and keep its way back."""
        found = RULES.get(get_op(node))
        if found is None:
            refuse(node, "training has no rule for this operation", "docs/learning.md lists what it knows")
        args = torch.fx.node.map_arg(node.args, self.outputs.__getitem__)
        options = torch.fx.node.map_arg(node.kwargs, self.outputs.__getitem__)
        self.outputs[node], self.backs[node] = found(self, node, args, options)

    def lift(self, x: Any) -> Tensor:
        """Return a constant of torch, or a number, as a tensor of activations; a tensor of the program stays."""
        if isinstance(x, Tensor):
            return x
        array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x)
        entries = quantise_floats(np.nan_to_num(array), ACTIVATION_BITS, ACTIVATION_LIMIT)
        matrix = entries.reshape(-1, array.shape[-1] if array.ndim else 1)
        return make_tensor(self.b.constant(matrix), array.shape, ACTIVATION_BITS)

    def find_gradients(self, result: Any, error: Tensor, leaves: Sequence[Any]) -> list[Value]:
        """Return the gradients of the parameters, given the error of the module's result: one row for each."""
        errors: dict[Any, Any] = {result: error}
        for node in reversed(list(self.backs)):
            if node in errors and node in self.trained:
                for source, found in self.backs[node](self._clip(errors.pop(node))):
                    if source in self.trained:
                        errors[source] = self._add(errors.get(source), found)
        return [self._finish(leaf, errors) for leaf in leaves]

    def _clip(self, error: Any) -> Any:
        if not isinstance(error, Tensor) or error.value.largest <= ERROR_LIMIT:
            return error
        return replace_value(error, self.b.clamp(error.value, -ERROR_LIMIT, ERROR_LIMIT), error.bits)

    def _add(self, before: Any, found: Any) -> Any:
        """Return the sum of two errors of one node. Those of a node with several results are told apart by number."""
        if before is None:
            return found
        if isinstance(found, dict):
            return before | found
        assert isinstance(before, Tensor)
        if GRADIENT_BITS in (before.bits, found.bits):
            before, found = self._to_mean(before), self._to_mean(found)
        split = max(len(found.sizes) - 1, 0)
        total = to_matrix(self.b, before, split) + to_matrix(self.b, found, split)
        return make_tensor(total, found.sizes, found.bits)

    def _to_mean(self, error: Tensor) -> Tensor:
        """Return a parameter's gradient: what came through a layer is a mean already, other errors are sums."""
        if error.bits == GRADIENT_BITS:
            return error
        return replace_value(error, to_gradient(error.value, ERROR_BITS, self.examples), GRADIENT_BITS)

    def _finish(self, leaf: Any, errors: dict[Any, Any]) -> Value:
        found = errors.get(leaf)
        if found is None:
            raise LearnError(
                "parameter-unused", f"the loss does not depend on the parameter {leaf.target}",
                hint="remove it from the module, or freeze it by requires_grad_(False)",
            )  # fmt: skip
        return to_matrix(self.b, self._to_mean(found), 0)


def refuse(node: Any, reason: str, hint: str) -> NoReturn:
    """Refuse an operation: the message names it, its module and the line of code it comes from."""
    path = get_path(node)
    lines = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines()]
    files = [line for line in lines if line.startswith("File ")]
    where = f"in module {path!r}" if path else "in the model itself"
    line = f", {files[-1].split(', in ')[0].removeprefix('File ')}" if files else ""
    raise LearnError("unsupported-operation", f"{get_op(node)} ({where}{line}): {reason}", hint=hint)
