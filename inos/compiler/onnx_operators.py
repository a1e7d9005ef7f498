"""What the operators of ONNX mean in torch: one function of the node's attributes for each.

A maker takes the attributes of a node and the values of its constant inputs, and returns a function of the tensors of
its inputs. What has no such function raises CannotCompile.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import torch
import torch.nn.functional as F
from onnx import numpy_helper

from inos.compiler.errors import CannotCompile

Function: TypeAlias = Callable[..., Any]
Maker: TypeAlias = Callable[["Attributes", Sequence[Any]], Function]
"""Takes the attributes, and for each input its constant tensor, or None if it depends on the model's inputs."""


def _divide(a: Any, b: Any) -> Any:
    """Divide; integers, such as what a model computes of sizes, towards zero."""
    is_whole = not (torch.is_floating_point(a) or torch.is_floating_point(b))
    return torch.div(a, b, rounding_mode="trunc" if is_whole else None)


UNARY: Final[Mapping[str, Function]] = {
    "Abs": torch.abs, "Cos": torch.cos, "Erf": torch.erf, "Exp": torch.exp, "HardSwish": F.hardswish,
    "Identity": lambda x: x, "Log": torch.log, "Mish": F.mish, "Neg": torch.neg, "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Sin": torch.sin,
    "Softplus": F.softplus, "Sqrt": torch.sqrt, "Swish": F.silu, "Tanh": torch.tanh,
}  # fmt: skip
BINARY: Final[Mapping[str, Function]] = {
    "Add": torch.add, "And": torch.logical_and, "Div": _divide, "Equal": torch.eq, "Greater": torch.gt,
    "GreaterOrEqual": torch.ge, "Less": torch.lt, "LessOrEqual": torch.le,
    "Or": torch.logical_or, "Mul": torch.mul, "Pow": torch.pow, "Sub": torch.sub,
}  # fmt: skip
DTYPES: Final = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float32, 11: torch.float32}
"""The types of Cast by their number in ONNX; halves and doubles become float32."""


class Attributes:
    """Reads a node's attributes. Those that change the result and were not read are refused."""

    def __init__(self, op: str, name: str, given: Mapping[str, Any]) -> None:
        self.op = op
        self.name = name
        self._given = dict(given)

    def get(self, name: str, default: Any) -> Any:
        found = self._given.pop(name, default)
        return found.decode() if isinstance(found, bytes) else found

    def check_all_read(self) -> None:
        if self._given:
            self.refuse(f"the compiler does not know its attribute {sorted(self._given)[0]!r}")

    def refuse(self, reason: str, hint: str = "docs/compile.md lists what it knows") -> Any:
        raise CannotCompile("unsupported-operation", f"{self.op} (node {self.name!r}): {reason}", hint=hint)

    def need(self, constant: Any, what: str) -> Any:
        """Return a constant input, which must be there."""
        return (
            self.refuse(f"its {what} is no constant", "fold constants when you export")
            if constant is None
            else constant
        )


def _make_simple(a: Attributes, constants: Sequence[Any]) -> Function:
    function: Function = UNARY[a.op] if a.op in UNARY else BINARY[a.op]
    return function


def _list(constant: Any) -> list[int]:
    return [int(each) for each in constant.reshape(-1).tolist()]


def _make_gemm(a: Attributes, constants: Sequence[Any]) -> Function:
    alpha, beta, is_x_turned, is_w_turned = (
        a.get(name, default) for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0), ("transB", 0))
    )
    w = a.need(constants[1], "second operand")
    w = (w if is_w_turned else w.t()) * alpha
    bias = a.need(constants[2], "third operand") * beta if len(constants) > 2 else None
    if bias is not None and bias.numel() != w.shape[0]:
        bias = bias.reshape(-1).expand(w.shape[0])
    w = w.contiguous()
    return lambda x, *_: F.linear(x.t() if is_x_turned else x, w, bias)


def _make_matmul(a: Attributes, constants: Sequence[Any]) -> Function:
    w = constants[1]
    if w is None or w.dim() != 2:
        product: Function = torch.matmul
        return product
    turned = w.t().contiguous()
    return lambda x, *_: F.linear(x, turned)


def _get_padding(a: Attributes, dimensions: int) -> list[int]:
    pads = a.get("pads", [0] * 2 * dimensions)
    if a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        a.refuse("its padding follows from the sizes", "export with explicit pads")
    if list(pads[:dimensions]) != list(pads[dimensions:]):
        a.refuse("its padding is not the same on both sides", "pad evenly")
    return list(pads[:dimensions])


def _make_conv(a: Attributes, constants: Sequence[Any]) -> Function:
    w = a.need(constants[1], "weight")
    bias = a.need(constants[2], "bias") if len(constants) > 2 else None
    count = w.dim() - 2
    if count not in (1, 2):
        a.refuse(f"it has {count} dimensions", "use one or two")
    a.get("kernel_shape", None)
    padding, stride = _get_padding(a, count), a.get("strides", [1] * count)
    dilation, groups = a.get("dilations", [1] * count), a.get("group", 1)
    convolve = F.conv1d if count == 1 else F.conv2d
    return lambda x, *_: convolve(x, w, bias, stride, padding, dilation, groups)


def _make_pool(a: Attributes, constants: Sequence[Any]) -> Function:
    kernel = a.get("kernel_shape", None)
    count = len(kernel)
    padding, stride = _get_padding(a, count), a.get("strides", [1] * count)
    is_ceil = bool(a.get("ceil_mode", 0))
    dilation = a.get("dilations", [1] * count)
    if a.op == "MaxPool":
        pool = F.max_pool1d if count == 1 else F.max_pool2d
        return lambda x: pool(x, kernel, stride, padding, dilation, is_ceil)
    if set(dilation) != {1}:
        a.refuse("its windows have holes", "leave dilations at 1")
    is_counted = bool(a.get("count_include_pad", 0)) or not any(padding)
    average = F.avg_pool1d if count == 1 else F.avg_pool2d
    return lambda x: average(x, kernel, stride, padding, is_ceil, is_counted)


def _make_global_pool(a: Attributes, constants: Sequence[Any]) -> Function:
    return lambda x: torch.mean(x, list(range(2, x.dim())), keepdim=True)


def _make_batch_norm(a: Attributes, constants: Sequence[Any]) -> Function:
    weight, bias, mean, var = (a.need(each, "statistics") for each in constants[1:5])
    eps = a.get("epsilon", 1e-5)
    a.get("momentum", None)
    if a.get("training_mode", 0):
        a.refuse("it is in training mode", "export in eval mode")
    return lambda x, *_: F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)


def _make_norm(a: Attributes, constants: Sequence[Any]) -> Function:
    weight = a.need(constants[1], "scale")
    bias = a.need(constants[2], "bias") if len(constants) > 2 else None
    axis, eps = a.get("axis", -1), a.get("epsilon", 1e-5)
    a.get("stash_type", 1)
    if a.op == "RMSNormalization":
        return lambda x, *_: F.rms_norm(x, x.shape[axis:], weight, eps)
    return lambda x, *_: F.layer_norm(x, x.shape[axis:], weight, bias, eps)


def _make_reduction(a: Attributes, constants: Sequence[Any]) -> Function:
    function = {"ReduceMean": torch.mean, "ReduceSum": torch.sum, "ReduceMax": torch.amax}[a.op]
    given = a.get("axes", None)
    if len(constants) > 1:
        given = _list(a.need(constants[1], "axes"))
    is_kept, is_none_nothing = bool(a.get("keepdims", 1)), a.get("noop_with_empty_axes", 0)
    if not given and is_none_nothing:
        return lambda x, *_: x
    return lambda x, *_: function(x, list(given or range(x.dim())), keepdim=is_kept)


def _make_argmax(a: Attributes, constants: Sequence[Any]) -> Function:
    axis, is_kept = a.get("axis", 0), bool(a.get("keepdims", 1))
    if a.get("select_last_index", 0):
        a.refuse("of equal entries it names the last", "leave select_last_index at 0")
    return lambda x: torch.argmax(x, axis, keepdim=is_kept)


def _make_softmax(a: Attributes, constants: Sequence[Any]) -> Function:
    axis = a.get("axis", -1)
    return lambda x: torch.softmax(x, axis)


def _make_clip(a: Attributes, constants: Sequence[Any]) -> Function:
    lo, hi = None, None
    for number, each in enumerate(constants[1:]):
        lo, hi = (each, hi) if number == 0 else (lo, each)
    lo, hi = (None if each is None else float(each) for each in (lo, hi))
    return lambda x, *_: torch.clamp(x, lo, hi)


def _make_gelu(a: Attributes, constants: Sequence[Any]) -> Function:
    approximate = a.get("approximate", "none")
    return lambda x: F.gelu(x, approximate=approximate)


def _make_leaky(a: Attributes, constants: Sequence[Any]) -> Function:
    function, default = {"LeakyRelu": (F.leaky_relu, 0.01), "Elu": (F.elu, 1.0)}[a.op]
    alpha = a.get("alpha", default)
    return lambda x: function(x, alpha)


def _make_reshape(a: Attributes, constants: Sequence[Any]) -> Function:
    sizes = _list(a.need(constants[1], "shape"))
    if a.get("allowzero", 0) and 0 in sizes:
        a.refuse("a dimension has no entries")
    return lambda x, *_: x.reshape([x.shape[index] if size == 0 else size for index, size in enumerate(sizes)])


def _make_flatten(a: Attributes, constants: Sequence[Any]) -> Function:
    axis = a.get("axis", 1)

    def flatten(x: Any) -> Any:
        rows = 1
        for size in x.shape[: axis if axis >= 0 else x.dim() + axis]:
            rows *= size
        return x.reshape(rows, -1)

    return flatten


def _make_transpose(a: Attributes, constants: Sequence[Any]) -> Function:
    order = a.get("perm", None)
    return lambda x: x.permute(order if order is not None else list(range(x.dim()))[::-1])


def _make_squeeze(a: Attributes, constants: Sequence[Any]) -> Function:
    axes = a.get("axes", None)
    if len(constants) > 1:
        axes = _list(a.need(constants[1], "axes"))
    if a.op == "Squeeze":
        return lambda x, *_: x.squeeze() if axes is None else x.squeeze(tuple(axes))

    def unsqueeze(x: Any, *_: Any) -> Any:
        for axis in sorted(each if each >= 0 else each + x.dim() + len(axes) for each in axes):
            x = x.unsqueeze(axis)
        return x

    return unsqueeze


def _make_concat(a: Attributes, constants: Sequence[Any]) -> Function:
    axis = a.get("axis", 0)
    return lambda *tensors: torch.cat(tensors, axis)


def _make_filled(a: Attributes, constants: Sequence[Any]) -> Function:
    value = a.get("value", None)
    entry = torch.zeros(1) if value is None else torch.from_numpy(numpy_helper.to_array(value).copy())
    return lambda sizes: entry.reshape(()).expand(_list(sizes)).clone()


def _make_triangle(a: Attributes, constants: Sequence[Any]) -> Function:
    function = torch.triu if a.get("upper", 1) else torch.tril
    diagonal = int(a.need(constants[1], "diagonal")) if len(constants) > 1 else 0
    return lambda x, *_: function(x, diagonal)


def _make_split(a: Attributes, constants: Sequence[Any]) -> Function:
    axis, count, sizes = a.get("axis", 0), a.get("num_outputs", None), a.get("split", None)
    if len(constants) > 1:
        sizes = _list(a.need(constants[1], "sizes"))
    if count is None and sizes is None:
        a.refuse("it says neither sizes nor their number", "export with opset 18 or with sizes")
    return lambda x, *_: tuple(torch.split(x, sizes or -(-x.shape[axis] // count), axis))


def _make_slice(a: Attributes, constants: Sequence[Any]) -> Function:
    starts, ends, *rest = [_list(a.need(each, "bounds")) for each in constants[1:]]
    axes = rest[0] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    if any(step < 1 for step in steps):
        a.refuse("it reverses a dimension", "use positive steps")

    def cut(x: Any, *_: Any) -> Any:
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            index = [slice(None)] * x.dim()
            index[axis] = slice(start, min(end, x.shape[axis]), step)
            x = x[tuple(index)]
        return x

    return cut


def _make_gather(a: Attributes, constants: Sequence[Any]) -> Function:
    axis, table, index = a.get("axis", 0), *constants[:2]
    if table is not None and index is None and axis == 0 and table.dim() == 2:
        return lambda _, i: F.embedding(i, table)
    chosen = a.need(index, "index")
    if chosen.dim() == 0:
        return lambda x, *_: x.select(axis, int(chosen))
    return lambda x, *_: torch.stack([x.select(axis, int(each)) for each in chosen], axis)


def _make_cast(a: Attributes, constants: Sequence[Any]) -> Function:
    number = a.get("to", 0)
    a.get("saturate", 1)
    dtype = DTYPES.get(number) or a.refuse(f"it casts to type {number} of ONNX")
    return lambda x: x.to(dtype)


def _make_expand(a: Attributes, constants: Sequence[Any]) -> Function:
    sizes = _list(a.need(constants[1], "shape"))
    return lambda x, *_: x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(sizes)))


def _make_dropout(a: Attributes, constants: Sequence[Any]) -> Function:
    a.get("ratio", None)
    a.get("seed", None)
    return lambda x, *_: x


MAKERS: Final[Mapping[str, Maker]] = {
    **{name: _make_simple for name in (*UNARY, *BINARY)},
    "ArgMax": _make_argmax, "AveragePool": _make_pool, "BatchNormalization": _make_batch_norm, "Cast": _make_cast,
    "Clip": _make_clip, "Concat": _make_concat, "Conv": _make_conv, "Dropout": _make_dropout, "Elu": _make_leaky,
    "Expand": _make_expand, "Flatten": _make_flatten, "Gather": _make_gather, "Gelu": _make_gelu, "Gemm": _make_gemm,
    "GlobalAveragePool": _make_global_pool, "LayerNormalization": _make_norm, "LeakyRelu": _make_leaky,
    "MatMul": _make_matmul, "MaxPool": _make_pool, "RMSNormalization": _make_norm, "ReduceMax": _make_reduction,
    "ReduceMean": _make_reduction, "ReduceSum": _make_reduction, "Reshape": _make_reshape, "Slice": _make_slice,
    "Split": _make_split, "ConstantOfShape": _make_filled, "Range": lambda a, _: torch.arange, "Trilu": _make_triangle,
    "Softmax": _make_softmax, "Squeeze": _make_squeeze, "Transpose": _make_transpose, "Unsqueeze": _make_squeeze,
    "Where": lambda a, _: torch.where,
}  # fmt: skip
