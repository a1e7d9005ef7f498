"""Reads an ONNX model, plain or quantised with QuantizeLinear and DequantizeLinear, as a module of torch.

Pipeline: file -> checked model -> constants are computed -> one small module for each other node (`onnx_operators`) ->
`torch.export` and all that follows, as for any module.

Of a quantised model, stored integers become the numbers that they mean, and an activation that is quantised is clamped
to the range of its scale and zero point. The compiler then chooses its own seven bits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from inos.compiler.errors import CannotCompile
from inos.compiler.frontend import to_tuple
from inos.compiler.onnx_operators import MAKERS, Attributes, Function

DOMAINS: Final = ("", "ai.onnx")
LEAST_OPSET: Final = 13
"""Before it, Softmax took the maximum and the sum over all dimensions from its axis on."""
LEVELS: Final = {torch.int8: (-128, 127), torch.uint8: (0, 255), torch.int16: (-32768, 32767)}
"""The least and the greatest number of each type that QuantizeLinear makes."""


class Step(torch.nn.Module):
    """Computes one node. Reports and refusals name it by its path in the model, which is the node's name."""

    def __init__(self, function: Function, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.function, self.inputs, self.outputs = function, tuple(inputs), tuple(outputs)

    def forward(self, *tensors: Any) -> Any:
        return self.function(*tensors)


class OnnxModule(torch.nn.Module):
    """Computes the graph of a model, node by node.

    Args:
        source: a path, bytes or an onnx.ModelProto.
        example: the inputs, whose sizes are those of all others: what the model computes of sizes is constant.

    Raises:
        CannotCompile: it is no valid model, or has an operator or attribute that the compiler does not know.
    """

    def __init__(self, source: Any, example: Any) -> None:
        super().__init__()
        graph = _load(source).graph
        self.constants: dict[str, Any] = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer
        }
        self.inputs = tuple(each.name for each in graph.input if each.name not in self.constants)
        self.outputs = tuple(each.name for each in graph.output)
        self._example = self._name_inputs(to_tuple(example))
        self._ranges: dict[str, tuple[Any, Any]] = {}
        """The scale and zero point of each tensor that QuantizeLinear made."""
        self.steps: list[Step] = []
        for number, node in enumerate(graph.node):
            self._add(node, number)

        self._example.clear()

    def forward(self, *tensors: Any) -> Any:
        values = self.constants | self._name_inputs(tensors)
        for step in self.steps:
            found = step(*(values.get(name) for name in step.inputs))
            values |= zip(step.outputs, found if isinstance(found, tuple) else (found,), strict=False)
        found = tuple(values[name] for name in self.outputs)
        return found if len(found) > 1 else found[0]

    def _name_inputs(self, tensors: Sequence[Any]) -> dict[str, Any]:
        if len(tensors) != len(self.inputs):
            raise CannotCompile(
                "bad-calibration",
                f"{len(tensors)} inputs are given; the model takes {len(self.inputs)}: {', '.join(self.inputs)}",
                hint="give a tuple of all of them, in this order",
            )
        return dict(zip(self.inputs, tensors, strict=True))

    def _add(self, node: Any, number: int) -> None:
        name = node.name or f"{node.op_type}_{number}"
        if node.domain not in DOMAINS:
            raise CannotCompile("unsupported-operation", f"{node.op_type} (node {name!r}) is of domain {node.domain!r}")
        given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        a = Attributes(node.op_type, name, given)
        inputs = list(node.input)
        while inputs and not inputs[-1]:
            inputs.pop()
        known = [self.constants.get(each) for each in inputs]
        if node.op_type == "Constant":
            self.constants[node.output[0]] = _read_constant(a, given)
            return
        if node.op_type == "Shape":
            first, last = a.get("start", 0), a.get("end", None)
            x = self._example[inputs[0]] if known[0] is None else known[0]
            self.constants[node.output[0]] = torch.tensor(list(x.shape)[first:last])
            return
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            function = self._make_quantiser(a, node, known)
        else:
            maker = MAKERS.get(node.op_type)
            function = a.refuse("the compiler has no rule for this operator") if maker is None else maker(a, known)
        a.check_all_read()
        outputs = [each for each in node.output if each]
        if all(each is not None for each in known):
            found = function(*known)
            self.constants |= zip(outputs, found if isinstance(found, tuple) else (found,), strict=False)
            return
        step = Step(function, inputs, outputs)
        self._example |= self._compute(a, step)
        self.add_module(_make_path(name, self._modules), step)
        self.steps.append(step)

    def _compute(self, a: Attributes, step: Step) -> dict[str, Any]:
        """Return what a node computes of the example."""
        values = self.constants | self._example
        try:
            with torch.no_grad():
                found = step(*(values.get(name) for name in step.inputs))
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            reason = f"it cannot be computed of the example: {str(error).strip().splitlines()[0]}"
            return dict(a.refuse(reason, "compare the example with the model's inputs"))
        return dict(zip(step.outputs, found if isinstance(found, tuple) else (found,), strict=False))

    def _make_quantiser(self, a: Attributes, node: Any, known: Sequence[Any]) -> Function:
        """Return what a quantisation means for numbers: a clamp for activations; exact numbers for what is stored."""
        scale = a.need(known[1], "scale").float()
        zero = known[2] if len(known) > 2 else torch.zeros((), dtype=torch.uint8)
        axis = a.get("axis", 1)
        for ignored in ("saturate", "block_size", "output_dtype", "precision"):
            if a.get(ignored, 0) not in (0, 1 if ignored == "saturate" else 0):
                a.refuse(f"its attribute {ignored} is set", "quantise by tensor or by channel, to int8 or uint8")
        if zero is None or zero.dtype not in LEVELS:
            a.refuse("its zero point is no constant of 8 or 16 bits", "quantise to int8 or uint8")
        least, most = LEVELS[zero.dtype]
        if known[0] is not None:
            if node.op_type == "DequantizeLinear":
                return lambda x, *_: _align(scale, x, axis) * (x.float() - _align(zero, x, axis).float())
            return lambda x, *_: torch.clamp(
                torch.round(x / _align(scale, x, axis)) + _align(zero, x, axis), least, most
            ).to(zero.dtype)
        if node.op_type == "DequantizeLinear":
            if not _is_same(self._ranges.get(node.input[0]), (scale, zero)):
                a.refuse("its input was not quantised by the same scale", "give the model floats as inputs")
            return lambda x, *_: x
        self._ranges[node.output[0]] = scale, zero
        if scale.numel() > 1:
            a.refuse("an activation has a scale for each channel", "quantise activations by tensor")
        lo, hi = ((each - int(zero)) * float(scale) for each in (least, most))
        return lambda x, *_: torch.clamp(x, lo, hi)


def _load(source: Any) -> Any:
    try:
        model = source if isinstance(source, onnx.ModelProto) else None
        if model is None:
            model = onnx.load_from_string(source) if isinstance(source, bytes) else onnx.load(Path(source))
        onnx.checker.check_model(model)
    except OSError as error:
        raise CannotCompile("bad-model", f"the model cannot be read: {error}") from error
    except (onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise CannotCompile(
            "bad-model", f"this is no valid ONNX model: {str(error).strip().splitlines()[0]}"
        ) from error
    except DecodeError as error:
        raise CannotCompile("bad-model", "this is no ONNX model") from error
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), LEAST_OPSET)
    if opset < LEAST_OPSET:
        raise CannotCompile(
            "old-opset",
            f"the model uses opset {opset}, in which Softmax and others mean something else than today",
            hint=f"export it with opset {LEAST_OPSET} or later",
        )
    return model


def _read_constant(a: Attributes, given: dict[str, Any]) -> Any:
    if "value" in given:
        return torch.from_numpy(numpy_helper.to_array(given["value"]).copy())
    numbers = [given[name] for name in ("value_float", "value_floats", "value_int", "value_ints") if name in given]
    return torch.tensor(numbers[0]) if numbers else a.refuse("it holds no numbers")


def _align(of_channels: Any, x: Any, axis: int) -> Any:
    """Return the values of channels with the dimensions of x, so that they broadcast."""
    if of_channels.numel() == 1:
        return of_channels.reshape(())
    return of_channels.reshape([-1 if each == axis % x.dim() else 1 for each in range(x.dim())])


def _is_same(found: tuple[Any, Any] | None, wanted: tuple[Any, Any]) -> bool:
    return found is not None and all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def _make_path(name: str, taken: Any) -> str:
    """Return a node's name as the name of a module: without dots, and not taken."""
    path = name.strip("/").replace(".", "_") or "node"
    return path if path not in taken else f"{path}_{len(taken)}"
