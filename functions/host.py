"""Runs a compiled module once, and says how it ended. Only the child imports this module."""

import ctypes
from collections.abc import Callable
from typing import Final

import wasmtime
from wasmtime import Func, FuncType, Instance, Module, Store, Trap, TrapCode, ValType

from inos.functions import preview1
from inos.functions.limits import CALL_STEPS, MAX_TABLE_ELEMENTS, MAX_TABLES, PAGE_BYTES
from inos.functions.wasi import Exited, Fault, OutOfSteps, OutputTooLarge, Wasi

DELIVERED: Final = "delivered"
_OUT_OF_STEPS: Final = "the module took more steps than are allowed"
_VALUES: Final = {preview1.I32: ValType.i32, preview1.I64: ValType.i64}
_MASKS: Final = {preview1.I32: 2**32 - 1, preview1.I64: 2**64 - 1}


class Ended:
    """How a run ended.

    Args:
        reason: `DELIVERED`, or a value of `outcome.Reason`. code: the exit code.
    """

    def __init__(self, reason: str, detail: str = "", code: int = 0) -> None:
        self.reason = reason
        self.detail = detail
        self.code = code
        self.steps = 0
        self.stdout = b""
        self.log = b""


class GuestMemory:
    """The memory of a running module; every access is checked against its size at that moment."""

    _memory: wasmtime.Memory

    def __init__(self, store: Store) -> None:
        self._store = store

    def attach(self, memory: wasmtime.Memory) -> None:
        """Name the memory, before the module makes its first call."""
        self._memory = memory

    def check(self, start: int, length: int) -> None:
        if start + length > self._memory.data_len(self._store):
            raise Fault

    def read(self, start: int, length: int) -> bytes:
        return ctypes.string_at(self._find(start), length) if length else b""

    def write(self, start: int, data: bytes) -> None:
        if data:
            ctypes.memmove(self._find(start), data, len(data))

    def _find(self, start: int) -> int:
        base = ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value
        assert base is not None
        return base + start


def run_module(
    engine: wasmtime.Engine, module: Module, *, steps: int, pages: int, output_bytes: int, args: tuple[bytes, ...],
    stdin: bytes, seed: bytes,
) -> Ended:  # fmt: skip
    """Instantiate a module and call its `_start`.

    Raises:
        wasmtime.WasmtimeError: the engine failed, for a reason that is not the module's.
    """
    store = Store(engine)
    store.set_fuel(steps)
    store.set_limits(
        memory_size=pages * PAGE_BYTES, table_elements=MAX_TABLE_ELEMENTS, instances=1, tables=MAX_TABLES, memories=1
    )
    memory = GuestMemory(store)
    charge = _make_charge(store)
    wasi = Wasi(memory, charge, args=args, stdin=stdin, seed=seed, output_bytes=output_bytes)
    imports = [_bind(store, wasi, charge, each.name or "") for each in module.imports]
    try:
        exports = Instance(store, module, imports).exports(store)
        found, start = exports["memory"], exports["_start"]
        assert isinstance(found, wasmtime.Memory)
        assert isinstance(start, Func)
        memory.attach(found)
        start(store)
        ended = Ended(DELIVERED)
    except Exited as error:
        ended = Ended(DELIVERED) if error.code == 0 else Ended("exit-code", f"exit code {error.code}", error.code)
    except OutputTooLarge:
        ended = Ended("output-too-large", f"stdout became longer than the {output_bytes} bytes that the spec declares")
    except OutOfSteps:
        ended = Ended("out-of-steps", _OUT_OF_STEPS)
        store.set_fuel(0)
    except Trap as error:
        ended = _explain_trap(error)
    ended.steps = steps - store.get_fuel()
    ended.stdout, ended.log = bytes(wasi.stdout), bytes(wasi.log)
    return ended


def _make_charge(store: Store) -> Callable[[int], None]:
    def charge(steps: int) -> None:
        left = store.get_fuel()
        if steps > left:
            raise OutOfSteps
        store.set_fuel(left - steps)

    return charge


def _bind(store: Store, wasi: Wasi, charge: Callable[[int], None], name: str) -> Func:
    """Return the import of this name: it charges the call, makes its arguments unsigned and calls the host."""
    params, results = preview1.SIGNATURES[name]
    answer: Callable[..., int] | None = getattr(wasi, name, None)
    masks = [_MASKS[each] for each in params]

    def call(*given: int) -> int | None:
        charge(CALL_STEPS)
        if answer is None:
            return preview1.ENOSYS
        try:
            error = answer(*(value & mask for value, mask in zip(given, masks, strict=True)))
        except Fault:
            error = preview1.EFAULT
        return error if results else None

    return Func(store, FuncType([_VALUES[each]() for each in params], [_VALUES[each]() for each in results]), call)


def _explain_trap(error: Trap) -> Ended:
    code = error.trap_code
    if code is TrapCode.OUT_OF_FUEL:
        return Ended("out-of-steps", _OUT_OF_STEPS)
    if code is TrapCode.STACK_OVERFLOW:
        return Ended("stack", "the calls went deeper than the stack allows")
    name = "unknown" if code is None else code.name.lower().replace("_", " ")
    return Ended("trap", f"the module trapped: {name}")
