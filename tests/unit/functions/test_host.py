"""How runs end, and what a module can see: each hostile idea has its test."""

import struct

import pytest

from inos.functions.limits import CALL_STEPS, MAX_TABLE_ELEMENTS
from support.functions import build, call, run_here, write

LOOP = "(loop (br 0))"


def store(place: int, value: str) -> str:
    return f"(i32.store (i32.const {place}) {value})"


def test_an_endless_loop_runs_out_of_steps() -> None:
    ended = run_here(build(LOOP), steps=1_000_000)
    assert (ended.reason, ended.steps) == ("out-of-steps", 1_000_000)


def test_a_loop_of_host_calls_runs_out_of_steps() -> None:
    """Calls are slow on the host, so they cost far more than an instruction."""
    ended = run_here(build(f"(loop (drop {call('sched_yield')}) (br 0))"), steps=200 * CALL_STEPS)
    assert (ended.reason, ended.steps) == ("out-of-steps", 200 * CALL_STEPS)


def test_a_loop_of_long_host_calls_runs_out_of_steps() -> None:
    body = f"(loop (drop {call('random_get', 0, 2**20)}) (br 0))"
    ended = run_here(build(body, pages="16"), steps=20 * 2**20)
    assert ended.reason == "out-of-steps"


def test_filling_memory_costs_a_step_a_byte() -> None:
    fill = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000))"
    assert run_here(build(fill, pages="16")).steps >= 1_000_000
    copy = "(memory.copy (i32.const 1) (i32.const 0) (i32.const 1000000))"
    assert run_here(build(copy, pages="16")).steps >= 1_000_000


def test_deep_recursion_overflows_the_stack() -> None:
    extra = "(func $f (param i32) (result i32) (i32.add (local.get 0) (call $f (i32.add (local.get 0) (i32.const 1)))))"
    assert run_here(build("(drop (call $f (i32.const 0)))", extra=extra)).reason == "stack"


def test_a_checker_recurses_as_deep_as_a_worker_and_deeper() -> None:
    """What fits a worker's stack fits a checker's, and the answer is the same."""
    extra = """(func $f (param i32) (result i32) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
        (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))))"""

    def measure(depth: int, stack: int) -> str:
        return run_here(build(f"(drop (call $f (i32.const {depth})))", extra=extra), stack_bytes=stack).reason

    low, high = 1, 1_000_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if measure(middle, 2**20) == "delivered" else (low, middle)
    assert measure(high, 2**20) == "stack"
    assert measure(high, 2**21) == "delivered"
    assert measure(2 * low - 100, 2**21) == "delivered"


def test_memory_grows_to_the_declared_pages_and_no_further() -> None:
    grow = store(0, "(memory.grow (i32.const 5))") + store(4, "(memory.grow (i32.const 1))")
    grow += store(8, "(memory.grow (i32.const 65535))") + store(12, "(memory.size)")
    ended = run_here(build(grow + write(0, 16)), pages=6)
    assert struct.unpack("<iiii", ended.stdout) == (1, -1, -1, 6)


def test_a_memory_bomb_touches_no_more_than_its_pages() -> None:
    """It grows page by page and writes to each, until growing fails."""
    body = f"""(loop (local.set $j (memory.grow (i32.const 1)))
        (if (i32.ne (local.get $j) (i32.const -1)) (then
            (i32.store (i32.mul (local.get $j) (i32.const 65536)) (i32.const 1)) (br 1))))
        {store(0, "(memory.size)")} {write(0, 4)}"""
    ended = run_here(build(body), pages=300)
    assert struct.unpack("<i", ended.stdout) == (300,)


def test_memory_is_zero_at_the_start_and_after_growing() -> None:
    body = "(drop (memory.grow (i32.const 3)))" + write(0, 64_000) + write(65_536, 3 * 65_536)
    for _ in range(2):
        ended = run_here(build(body))
        assert ended.stdout == bytes(64_000 + 3 * 65_536)


def test_tables_grow_to_a_fixed_size() -> None:
    extra = "(table $t 1 funcref)"
    grow = store(0, f"(table.grow $t (ref.null func) (i32.const {MAX_TABLE_ELEMENTS - 1}))")
    grow += store(4, "(table.grow $t (ref.null func) (i32.const 1))") + store(8, "(table.size $t)")
    ended = run_here(build(grow + write(0, 12), extra=extra))
    assert struct.unpack("<iii", ended.stdout) == (1, -1, MAX_TABLE_ELEMENTS)


def test_a_loop_that_grows_tables_ends() -> None:
    body = "(loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1))))"
    assert run_here(build(body, extra="(table $t 1 funcref)")).reason == "delivered"


def test_output_above_the_limit_ends_the_run() -> None:
    exact = run_here(build(write(0, 100)), output_bytes=100)
    assert (exact.reason, len(exact.stdout)) == ("delivered", 100)
    assert run_here(build(write(0, 101)), output_bytes=100).reason == "output-too-large"
    assert run_here(build(f"(loop {write(0, 50_000)} (br 0))"), output_bytes=10**6).reason == "output-too-large"


@pytest.mark.parametrize("code", [1, 255, 256, 2**31, 2**32 - 1])
def test_other_exit_codes_are_no_outcome(code: int) -> None:
    ended = run_here(build(write(0, 3) + call("proc_exit", code) + write(0, 3)))
    assert (ended.reason, ended.code) == ("exit-code", code)


def test_exit_code_0_is_an_outcome() -> None:
    ended = run_here(build(write(0, 3) + call("proc_exit", 0) + write(0, 3)))
    assert (ended.reason, ended.stdout) == ("delivered", bytes(3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "division by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "integer overflow"),
        ("(drop (i32.load (i32.const 65533)))", "memory out of bounds"),
        ("(drop (i32.load offset=4294967295 (i32.const -1)))", "memory out of bounds"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "conversion to integer"),
        ("(call_indirect $t (i32.const 0))", "indirect call to null"),
        ("(call_indirect $t (i32.const 9))", "table out of bounds"),
    ],
)
def test_traps(body: str, words: str) -> None:
    ended = run_here(build(body, extra="(table $t 1 funcref)"))
    assert ended.reason == "trap"
    assert words in ended.detail


@pytest.mark.parametrize(
    "extra", ['(data (i32.const 65535) "ab")', "(table $t 1 funcref) (elem (i32.const 1) $f) (func $f)"]
)
def test_segments_outside_trap_at_the_start(extra: str) -> None:
    assert run_here(build("", extra=extra)).reason == "trap"


def test_nans_have_one_bit_pattern() -> None:
    """0/0, the square root of -1, and operations on a NaN with a payload give the canonical NaN."""
    cases = [
        "(f32.div (f32.const 0) (f32.const 0))",
        "(f32.sqrt (f32.const -1))",
        "(f32.add (f32.const nan:0x12345) (f32.const 1))",
        "(f32.mul (f32.const -nan:0x12345) (f32.const nan:0x54321))",
        "(f32.min (f32.const -nan:0x1) (f32.const 1))",
        "(f32.demote_f64 (f64.const nan:0x123456789))",
    ]
    body = "".join(f"(f32.store (i32.const {4 * place}) {case})" for place, case in enumerate(cases))
    found = struct.unpack(f"<{len(cases)}I", run_here(build(body + write(0, 4 * len(cases)))).stdout)
    assert set(found) == {0x7FC00000}
    wide = "(f64.store (i32.const 0) (f64.sub (f64.const -nan:0x77) (f64.const 1)))" + write(0, 8)
    assert run_here(build(wide)).stdout == struct.pack("<Q", 0x7FF8000000000000)
    lanes = "(v128.store (i32.const 0) (f32x4.div (v128.const f32x4 0 0 0 0) (v128.const f32x4 0 0 0 0)))" + write(
        0, 16
    )
    assert run_here(build(lanes)).stdout == struct.pack("<4I", *[0x7FC00000] * 4)


def test_huge_locals_are_zero_and_cost_stack() -> None:
    locals_ = "(local i64)" * 40_000
    extra = f"(func $f {locals_} (i64.store (i32.const 0) (local.get 39999)))"
    assert run_here(build("(call $f)" + write(0, 8), extra=extra)).stdout == bytes(8)
    used = "".join(f"(local.set {n} (i64.load (i32.const {n})))" for n in range(2_000))
    used += f"(drop {call('sched_yield')})" + "".join(
        f"(i64.store (i32.const {n}) (local.get {n}))" for n in range(2_000)
    )
    extra = f"(func $f {'(local i64)' * 2_000} {used} (call $f))"
    assert run_here(build("(call $f)", extra=extra)).reason == "stack"


def test_a_call_from_deep_in_the_stack_reaches_the_host() -> None:
    """The host's own code needs stack beyond the module's."""
    extra = f"""(func $f (param i32) (result i32) (drop {call("sched_yield")}) (if (result i32) (i32.eqz (local.get 0))
        (then (i32.const 0)) (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))))"""
    body = store(0, "(call $f (i32.const 8000))") + write(0, 4)
    assert run_here(build(body, extra=extra)).stdout == struct.pack("<I", 8000)
