"""The engine's options: known names only, and every proposal that the engine has is decided."""

import pytest
import wasmtime

from inos.functions.engine import OPTIONS, PROPOSALS, make_engine, set_option


def test_every_proposal_of_the_engine_is_named() -> None:
    known = {name for name in vars(wasmtime.Config) if name.startswith("wasm_")}
    assert known - {"wasm_relaxed_simd_deterministic"} == set(PROPOSALS)
    assert not {name for name in OPTIONS if not isinstance(vars(wasmtime.Config).get(name), property)}


def test_an_unknown_option_is_an_error() -> None:
    config = wasmtime.Config()
    config.wasm_relaxed_smid = False  # type: ignore[attr-defined]  # this is why set_option exists: nothing complains
    for name in ("wasm_relaxed_smid", "ptr", "_set_ptr", "cranelift_flag_set"):
        with pytest.raises(AttributeError, match=f"no option {name}"):
            set_option(config, name, False)


def test_compiled_code_is_the_same_for_every_stack_size() -> None:
    module = bytes(wasmtime.wat2wasm('(module (func (export "f") (result i32) (i32.const 7)))'))
    compiled = bytes(wasmtime.Module(make_engine(2**20), module).serialize())
    loaded = wasmtime.Module.deserialize(make_engine(2**21), compiled)
    assert bytes(loaded.serialize()) == compiled
