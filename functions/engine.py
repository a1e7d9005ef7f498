"""Makes the one wasmtime engine of a spec version: every proposal is named here, switched on or off.

Only the child imports this module, since it loads wasmtime.
"""

from typing import Final

import wasmtime

PROPOSALS: Final = {
    "wasm_bulk_memory": True,
    "wasm_multi_value": True,
    "wasm_reference_types": True,
    "wasm_simd": True,
    "wasm_component_model": False,
    "wasm_component_model_implements": False,
    "wasm_component_model_map": False,
    "wasm_custom_page_sizes": False,
    "wasm_exceptions": False,
    "wasm_function_references": False,
    "wasm_gc": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_relaxed_simd": False,
    "wasm_stack_switching": False,
    "wasm_tail_call": False,
    "wasm_threads": False,
    "wasm_wide_arithmetic": False,
}
"""What compilers emit by default is on. All else is off: relaxed SIMD and threads answer differently on different
machines, and the others are new code in the engine for nothing that a function needs.
"""
OPTIONS: Final = {
    "consume_fuel": True,
    "cranelift_nan_canonicalization": True,
    "wasm_relaxed_simd_deterministic": True,
    "gc_support": False,
    "shared_memory": False,
    "parallel_compilation": False,  # the sandbox allows no new threads
    "memory_init_cow": False,  # it would write a file in memory, which the sandbox's RLIMIT_FSIZE forbids
    "debug_info": False,
    "epoch_interruption": False,
}


def set_option(config: wasmtime.Config, name: str, value: bool) -> None:
    """Set an option of wasmtime, which must know it: assigning to an unknown attribute would do nothing, silently.

    Raises:
        AttributeError: this wasmtime has no such option.
    """
    if not isinstance(getattr(type(config), name, None), property):
        raise AttributeError(f"wasmtime has no option {name}")
    setattr(config, name, value)


def make_engine(stack_bytes: int) -> wasmtime.Engine:
    """Return an engine whose modules may use this much stack; the compiled code is the same for every size."""
    config = wasmtime.Config()
    for name, value in (PROPOSALS | OPTIONS).items():
        set_option(config, name, value)
    config.cranelift_opt_level = "speed"
    config.max_wasm_stack = stack_bytes
    return wasmtime.Engine(config)
