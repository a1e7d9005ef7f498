"""Functions in the child process: outcomes, determinism, the cache, and what is no outcome."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inos.functions import Delivered, HostFailed, InvalidFunction, ModuleCache, NoOutcome, Reason, Role, run, runner
from inos.work import Stopped
from support.functions import SEED, assemble, build, call, deliver, make_spec, refuse, run_child, write

ECHO = build(
    """(i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 60000))
    (loop (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $i (i32.load (i32.const 4))) (i32.store (i32.const 4) (i32.const 60000))
        (br_if 0 (local.get $i)))"""
)
WORLD = build(
    f"""(drop {call("random_get", 0, 32)}) (drop {call("clock_time_get", 0, 0, 32)}) (drop {call("args_get", 40, 80)})
    (f64.store (i32.const 200) (f64.div (f64.const 0) (f64.const 0))) {write(0, 210)}"""
)
LOOP = build("(loop (br 0))")


def test_a_large_input_is_echoed() -> None:
    data = bytes(range(256)) * 20_000
    assert deliver(run_child(ECHO, data, output_bytes=len(data), steps=2**32)) == data


def test_the_same_call_gives_the_same_bytes_to_workers_and_checkers(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "cache")
    spec = make_spec(WORLD, args=(b"one", b"two"))
    outs = {
        deliver(run(spec, WORLD, b"", role=role, seed=SEED, cache=kept))
        for role in (Role.WORKER, Role.CHECKER)
        for kept in (cache, cache, None)
    }
    assert len(outs) == 1
    assert deliver(run(spec, WORLD, b"", role=Role.WORKER, seed=bytes(32))) not in outs
    own = make_spec(WORLD, args=(b"one", b"two"), seed=SEED)
    assert {deliver(run(own, WORLD, b"", role=Role.WORKER, seed=bytes(32)))} == outs


def test_a_checker_has_twice_the_steps() -> None:
    """A run that needs more than the declared steps fails for a worker, and ends for a checker."""
    body = "(loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))"
    steps = 500_000
    worker, checker = (run_child(build(body), role=role, steps=steps) for role in (Role.WORKER, Role.CHECKER))
    assert refuse(worker).reason is Reason.OUT_OF_STEPS
    assert isinstance(checker, Delivered)
    assert steps < checker.steps <= 2 * steps


def test_the_log_and_the_exit_code_are_told() -> None:
    module = build(write(0, 3, fd=2) + call("proc_exit", 300), extra='(data (i32.const 0) "why")')
    ended = refuse(run_child(module))
    assert (ended.reason, ended.exit_code, ended.log) == (Reason.EXIT_CODE, 300, b"why")


@pytest.mark.parametrize(
    ("module", "changes", "reason"),
    [
        (LOOP, {"steps": 1000}, Reason.OUT_OF_STEPS),
        (build("unreachable"), {}, Reason.TRAP),
        (build("(call $f)", extra="(func $f (call $f))"), {}, Reason.STACK),
        (build(write(0, 9)), {"output_bytes": 8}, Reason.OUTPUT_TOO_LARGE),
        (build("", pages="17"), {}, Reason.MEMORY),
        (build("", pages="65536"), {"pages": 32768}, Reason.MEMORY),
    ],
)
def test_no_outcome(module: bytes, changes: dict[str, int], reason: Reason) -> None:
    assert refuse(run_child(module, **changes)).reason is reason


def test_the_largest_memory_is_given() -> None:
    """2 GiB are declared and one byte at each end is touched: unused pages cost no memory of the machine."""
    last = "(i32.const 2147483647)"
    body = f"(i32.store8 {last} (i32.const 7)) (i32.store8 (i32.const 0) (i32.load8_u {last}))"
    assert deliver(run_child(build(body + write(0, 1), pages="32768"), pages=32768)) == b"\x07"


def test_invalid_code_is_refused() -> None:
    module = assemble('(module (memory (export "memory") 1) (func (export "_start")))')
    broken = module.replace(b"\x02\x00\x0b", b"\x02\x00\x1a")
    assert broken != module
    with pytest.raises(InvalidFunction) as refused:
        run_child(broken)
    assert refused.value.code == "invalid-module"


def test_a_run_that_takes_too_long_is_void() -> None:
    with pytest.raises(HostFailed) as failed:
        run(make_spec(LOOP, steps=2**36), LOOP, b"", role=Role.WORKER, seed=SEED, seconds=1.0)
    assert failed.value.code == "function-time"


def test_a_run_can_be_stopped() -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Stopped):
        run(make_spec(LOOP, steps=2**36), LOOP, b"", role=Role.WORKER, seed=SEED, stop=stop)


def test_a_compile_bomb_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    """16,000 values that live at once take 5 s of processor time to compile; the limit is shortened here."""
    monkeypatch.setattr(runner, "COMPILE_SECONDS", 0.5)
    count = 16_000
    bomb = "".join(f"(local.set {n} (i64.load (i32.const {n})))" for n in range(count))
    bomb += f"(drop {call('sched_yield')})"
    bomb += "".join(f"(i64.store (i32.const {n}) (local.get {n}))" for n in range(count))
    with pytest.raises(HostFailed) as failed:
        run_child(build("(call $f)", extra=f"(func $f {'(local i64)' * count} {bomb})"))
    assert failed.value.code == "function-time"


def test_the_module_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ModuleCache(tmp_path / "cache")
    first = run(make_spec(ECHO), ECHO, b"x", role=Role.WORKER, seed=SEED, cache=cache)
    monkeypatch.setattr(runner, "COMPILE_SECONDS", 0.0)  # compiling would fail now
    assert run(make_spec(ECHO), ECHO, b"x", role=Role.WORKER, seed=SEED, cache=cache) == first


def test_compiled_code_that_the_engine_refuses_is_compiled_again(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "cache")
    cache.put(ECHO, b"compiled elsewhere")
    assert deliver(run(make_spec(ECHO), ECHO, b"x", role=Role.WORKER, seed=SEED, cache=cache)) == b"x"
    assert cache.get(ECHO) != b"compiled elsewhere"


def test_another_engine_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "version", lambda _: "49.0.0")
    with pytest.raises(HostFailed, match=r"wasmtime 50.0.1, and 49.0.0 is installed.*pip install"):
        run_child(ECHO)


def test_two_runs_at_once_do_not_meet() -> None:
    """Each writes its own random bytes; neither sees the other's."""

    def work(number: int) -> bytes:
        return deliver(run(make_spec(WORLD), WORLD, b"", role=Role.WORKER, seed=bytes([number]) * 32))

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(work, range(3)))
    assert found == [work(number) for number in range(3)]
    assert len(set(found)) == 3


def test_another_module_than_the_spec_names_is_refused() -> None:
    with pytest.raises(InvalidFunction) as refused:
        run(make_spec(WORLD), ECHO, b"", role=Role.WORKER, seed=SEED)
    assert refused.value.code == "other-module"


def test_a_wrong_seed_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        run(make_spec(ECHO), ECHO, b"", role=Role.WORKER, seed=b"short")


def test_no_outcome_keeps_what_was_logged() -> None:
    ended = run_child(build(write(0, 5, fd=2) + "unreachable"))
    assert isinstance(ended, NoOutcome)
    assert ended.log == bytes(5)
