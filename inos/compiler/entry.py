"""The function that people call; it loads torch when it is called."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from inos.compiler.compiled import CompiledProgram
from inos.compiler.errors import CannotCompile


class Loop(Struct, frozen=True):
    """Runs the module several times in one program: each step gets what the last one returned.

    Attributes:
        steps: how often it runs.
        carried: which output becomes which input of the next step: {position of the input: position of the output}.
            All other inputs are the same in every step.
    """

    steps: int
    carried: Mapping[int, int]


def compile(
    module: Any,
    example: Any,
    calibration: Iterable[Any] | None = None,
    *,
    limbs: str | Mapping[str, str] = "none",
    smooth: bool = True,
    loop: Loop | None = None,
) -> CompiledProgram:
    """Make an integer program of a float PyTorch module, or of an ONNX model.

    Args:
        module: a `torch.nn.Module`, which is compiled as in eval mode; or an ONNX model: its path, its bytes or an
            `onnx.ModelProto`, plain or with QuantizeLinear and DequantizeLinear.
        example: one input tensor, or a tuple of all of them. Its sizes are those of the program; integers are token
            numbers, booleans masks. Arrays of numpy will do.
        calibration: inputs like the example, from which ranges are found; by default the example alone.
        limbs: which operands of products take two limbs of seven bits in place of one: "none", "activations",
            "weights" or "both", for all layers or by the layer's path, with wildcards:
            `{"head": "both", "blocks.*": "activations"}`.
        smooth: move scales from activations with outlying channels into weights where this lessens the error.
        loop: run the module several times, for example to write a text token by token. The program returns the last
            value of each output that is carried, and all values of each other one, below each other.

    Raises:
        CannotCompile: an operation has no integer form, or torch is not installed.
    """
    try:
        from inos.compiler.frontend import compile_module
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise CannotCompile("torch-missing", "torch is not installed", hint="pip install torch") from None
    if not _is_onnx(module):
        return compile_module(module, example, calibration, limbs, smooth, loop)
    try:
        from inos.compiler.onnx_graph import OnnxModule
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise CannotCompile("onnx-missing", "onnx is not installed", hint="pip install onnx") from None
    model = OnnxModule(module, example)
    compiled = compile_module(model, example, calibration, limbs, smooth, loop)
    inputs = tuple(replace(port, name=name) for port, name in zip(compiled.inputs, model.inputs, strict=True))
    if loop is not None:  # the outputs are then in another order
        return replace(compiled, inputs=inputs)
    outputs = tuple(replace(port, name=name) for port, name in zip(compiled.outputs, model.outputs, strict=True))
    return replace(compiled, inputs=inputs, outputs=outputs)


def _is_onnx(module: Any) -> bool:
    """Return True for a path or bytes of a model, or an onnx.ModelProto."""
    return isinstance(module, (str, Path, bytes)) or hasattr(module, "opset_import")
