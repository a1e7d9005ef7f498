"""Which modules are refused before the engine sees them."""

import pytest
import wasmtime

from inos.functions import InvalidFunction, inspect_module, preview1
from inos.functions.engine import make_engine
from inos.functions.limits import MAX_FUNCTIONS, MAX_MODULE_BYTES
from support.functions import assemble, build, call, write

START = '(func (export "_start"))'
MEMORY = '(memory (export "memory") 1)'
IMPORT = '(import "wasi_snapshot_preview1"'


def test_an_accepted_module_is_described() -> None:
    info = inspect_module(build(write(0, 1) + f"(drop {call('sched_yield')})", pages="3 5"))
    assert (set(info.imports), info.pages, info.functions) == ({"fd_write", "sched_yield"}, 3, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (MEMORY, "no-start"),
        (f'{MEMORY} (global (export "_start") i32 (i32.const 0))', "no-start"),
        (f'{MEMORY} (func (export "_start") (param i32))', "no-start"),
        (f'{MEMORY} (func (export "_start") (result i32) (i32.const 0))', "no-start"),
        (f"{MEMORY} {START} (func $f) (start $f)", "start-function"),
        (START, "no-memory"),
        (f"{START} (memory 1)", "no-memory"),
        (f'{START} (memory 1) (func (export "memory"))', "no-memory"),
        (f'(import "env" "memory" (memory 1)) {START} (export "memory" (memory 0))', "foreign-import"),
        (f'{IMPORT} "memory" (memory 1)) {START}', "unknown-import"),
        (f'{START} (memory (export "memory") 1 2 shared)', "shared-memory"),
        (f'{START} (memory (export "memory") i64 1)', "shared-memory"),
        (f"{START} {MEMORY} (memory 1)", "too-many-memories"),
        (f'(import "env" "abort" (func)) {MEMORY} {START}', "foreign-import"),
        (f'(import "wasi_unstable" "fd_write" (func)) {MEMORY} {START}', "foreign-import"),
        (f'(import "wasi:cli/run" "run" (func)) {MEMORY} {START}', "foreign-import"),
        (f'{IMPORT} "thread_spawn" (func)) {MEMORY} {START}', "unknown-import"),
        (f'{IMPORT} "fd_write" (func (param i32))) {MEMORY} {START}', "bad-import"),
        (f'{IMPORT} "proc_exit" (func (param i32) (result i32))) {MEMORY} {START}', "bad-import"),
        (f'{IMPORT} "fd_write" (global i32)) {MEMORY} {START}', "bad-import"),
        (f"{MEMORY} {START} (table 1048577 funcref)", "table-too-large"),
        (f"{MEMORY} {START}" + "(table 1 funcref)" * 5, "table-too-large"),
        (f"{IMPORT} \"sched_yield\" (func (result i32)))" * 257 + MEMORY + START, "too-many-imports"),
        (MEMORY + START + "(func)" * MAX_FUNCTIONS, "too-many-functions"),
        (f"{MEMORY} {START} (func {'(nop)' * (2**20 + 1)})", "function-too-large"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else value,
)  # fmt: skip
def test_refused_modules(text: str, code: str) -> None:
    with pytest.raises(InvalidFunction) as refused:
        inspect_module(assemble(f"(module {text})"))
    assert refused.value.code == code


def test_a_module_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(InvalidFunction) as refused:
        inspect_module(b"\0" * (MAX_MODULE_BYTES + 1))
    assert refused.value.code == "module-too-large"


def test_a_component_is_refused() -> None:
    with pytest.raises(InvalidFunction) as refused:
        inspect_module(assemble("(component)"))
    assert refused.value.code == "not-wasm"


@pytest.mark.parametrize(
    "text",
    [
        "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
        "(func (result i32) (i32.atomic.load (i32.const 0)))",
        "(func (export \"f\") (atomic.fence))",
        "(func $f (return_call $f))",
        "(tag $t) (func (throw $t))",
        "(func (try_table))",
        "(type (struct (field i32)))",
        "(func (param externref))",
        "(func (result i64 i64) (i64.add128 (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))",
        "(type $f (func)) (func (param (ref null $f)))",
    ],
)  # fmt: skip
def test_proposals_that_are_off_are_invalid(text: str) -> None:
    """Relaxed SIMD, threads, tail calls, exceptions, GC, wide arithmetic and typed references."""
    module = assemble(f"(module {MEMORY} {START} {text})")
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Module.validate(make_engine(2**20), module)


@pytest.mark.parametrize(
    "text",
    [
        "(func (param v128 v128) (result v128) (i8x16.swizzle (local.get 0) (local.get 1)))",
        "(func (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))",
        "(func (result i32 i32) (i32.const 0) (i32.const 1))",
        "(func (result i32) (i32.trunc_sat_f32_s (f32.const 3)))",
        "(func (result i32) (i32.extend8_s (i32.const 3)))",
        "(table $a 1 funcref) (table $b 1 funcref) (func (drop (table.get $b (i32.const 0))))",
    ],
)
def test_what_compilers_emit_is_valid(text: str) -> None:
    module = assemble(f"(module {MEMORY} {START} {text})")
    inspect_module(module)
    wasmtime.Module.validate(make_engine(2**20), module)


def test_the_signatures_are_those_of_preview_1() -> None:
    """The engine's own WASI has the same functions with the same types."""
    linker = wasmtime.Linker(wasmtime.Engine())
    linker.define_wasi()
    store = wasmtime.Store(linker.engine)
    kinds = {"i32": preview1.I32, "i64": preview1.I64}
    assert len(preview1.SIGNATURES) == 46
    for name, (params, results) in preview1.SIGNATURES.items():
        found = linker.get(store, preview1.MODULE, name)
        assert isinstance(found, wasmtime.Func)
        kind = found.type(store)
        assert bytes(kinds[str(each)] for each in kind.params) == params, name
        assert bytes(kinds[str(each)] for each in kind.results) == results, name
