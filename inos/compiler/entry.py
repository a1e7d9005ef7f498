"""The function that people call; it loads torch when it is called."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

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
    """Make an integer program of a float PyTorch module.

    Args:
        module: a `torch.nn.Module`; it is compiled as in eval mode.
        example: one input tensor, or a tuple of all of them. Its sizes are those of the program; integers are token
            numbers, booleans masks.
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
    return compile_module(module, example, calibration, limbs, smooth, loop)
