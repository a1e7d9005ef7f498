"""PyTorch and ONNX models as integer programs.

Pipeline: a module, which `onnx_graph` makes of an ONNX model -> `torch.export` (static shapes) -> ranges and samples of
calibration data (`observer`) -> a rule for each operation writes nodes of a program (`layers`, `elementwise`,
`reductions`, `attention`, `views`) -> `CompiledProgram`: program, weights, the meaning of inputs and outputs, a report.

`compile` needs torch; loading and running a compiled program does not. Nothing of the node imports this package.
docs/compile.md describes what is supported.
"""

from inos.compiler.compiled import CompiledProgram, Port, load_compiled
from inos.compiler.entry import Loop, compile
from inos.compiler.errors import CannotCompile
from inos.compiler.quantise import Limbs
from inos.compiler.report import LayerReport, Report

__all__ = [
    "CannotCompile",
    "CompiledProgram",
    "LayerReport",
    "Limbs",
    "Loop",
    "Port",
    "Report",
    "compile",
    "load_compiled",
]
