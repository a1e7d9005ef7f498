"""Functions: WebAssembly commands whose answer is the same on every machine.

A function is a WASI preview 1 command: it reads bytes on stdin and arguments, and writes bytes on stdout. The package
decodes specs, refuses modules that could answer differently elsewhere, and runs the others in a child process without
files, network or a real clock. It does not know blocks, jobs or the mesh: its callers bring the bytes.

Pipeline: `spec` (what is run, with its limits) -> `module` (sections, imports and exports of the module, without the
engine) -> `runner` -> `cache` (compiled modules on disk) and `supervisor` (starts, watches and kills the child) ->
`child` (sandbox, then `engine`, `wasi` and `host`) -> `Outcome`. Only the child loads wasmtime.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from inos.functions.cache import ModuleCache
    from inos.functions.module import ModuleInfo, inspect_module
    from inos.functions.outcome import Delivered, HostFailed, NoOutcome, Outcome, Reason
    from inos.functions.runner import Role, compile_module, is_engine_installed, run
    from inos.functions.spec import FunctionSpec, InvalidFunction, compute_units, decode_spec, encode_spec

__all__ = [
    "Delivered",
    "FunctionSpec",
    "HostFailed",
    "InvalidFunction",
    "ModuleCache",
    "ModuleInfo",
    "NoOutcome",
    "Outcome",
    "Reason",
    "Role",
    "compile_module",
    "compute_units",
    "decode_spec",
    "encode_spec",
    "inspect_module",
    "is_engine_installed",
    "run",
]

_PLACES: Final = {
    "Delivered": "outcome",
    "FunctionSpec": "spec",
    "HostFailed": "outcome",
    "InvalidFunction": "spec",
    "ModuleCache": "cache",
    "ModuleInfo": "module",
    "NoOutcome": "outcome",
    "Outcome": "outcome",
    "Reason": "outcome",
    "Role": "runner",
    "compile_module": "runner",
    "compute_units": "spec",
    "decode_spec": "spec",
    "encode_spec": "spec",
    "inspect_module": "module",
    "is_engine_installed": "runner",
    "run": "runner",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name of `__all__` when it is first asked for: the child must start fast, and needs few of them."""
        if name not in _PLACES:
            raise AttributeError(f"module 'inos.functions' has no attribute {name!r}")
        return getattr(import_module(f"inos.functions.{_PLACES[name]}"), name)
