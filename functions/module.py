"""Reads a module's sections without the engine, and refuses what could run differently elsewhere, or never runs.

The engine validates the code itself. What is decided here depends on the bytes alone, so that a module is accepted or
refused by the same rule whatever engine is installed.
"""

from msgspec import Struct

from inos.functions import preview1
from inos.functions.binary import FUNC, MEMORY, Malformed, Sections, read_sections
from inos.functions.limits import (
    MAX_CODE_BYTES,
    MAX_FUNCTIONS,
    MAX_IMPORTS,
    MAX_MODULE_BYTES,
    MAX_TABLE_ELEMENTS,
    MAX_TABLES,
)
from inos.functions.spec import InvalidFunction


class ModuleInfo(Struct, frozen=True):
    """What a module that is accepted asks for.

    Args:
        imports: the preview 1 functions it imports, in order.
        pages: the pages of 64 KiB that its memory has at the start.
        functions: the number of its own functions.
    """

    bytes: int
    imports: tuple[str, ...]
    pages: int
    functions: int


def inspect_module(module: bytes) -> ModuleInfo:
    """Check a module's sections.

    Raises:
        InvalidFunction: "module-too-large", "not-wasm", "malformed-module", "foreign-import", "unknown-import",
            "bad-import", "no-start", "start-function", "no-memory", "shared-memory", "too-many-memories",
            "too-many-imports", "too-many-functions", "function-too-large" or "table-too-large".
    """
    if len(module) > MAX_MODULE_BYTES:
        raise InvalidFunction(
            "module-too-large",
            f"the module has {len(module)} bytes; at most {MAX_MODULE_BYTES} are compiled",
            hint="strip its debug information, and optimise for size",
        )
    try:
        sections = read_sections(module)
    except Malformed as error:
        raise InvalidFunction(
            error.code,
            f"this is no WebAssembly module: {error}",
            hint="give the file that a compiler made for the target WASI preview 1, as it is",
        ) from error
    _check_imports(sections)
    _check_exports(sections)
    _check_sizes(sections)
    return ModuleInfo(
        bytes=len(module),
        imports=tuple(each.name for each in sections.imports),
        pages=sections.memories[0].least,
        functions=len(sections.functions),
    )


def _check_imports(sections: Sections) -> None:
    if len(sections.imports) > MAX_IMPORTS:
        raise InvalidFunction(
            "too-many-imports", f"the module has {len(sections.imports)} imports; at most {MAX_IMPORTS} are allowed"
        )
    for each in sections.imports:
        place = f"{each.module}.{each.name}"
        if each.module != preview1.MODULE:
            raise InvalidFunction(
                "foreign-import",
                f"the module imports {place}; a function imports from {preview1.MODULE} only",
                hint="compile it as a WASI preview 1 command",
            )
        if each.name not in preview1.SIGNATURES:
            raise InvalidFunction("unknown-import", f"{place} is no function of WASI preview 1")
        if each.kind != FUNC or sections.get_signature(each.type) != preview1.SIGNATURES[each.name]:
            raise InvalidFunction("bad-import", f"{place} is imported with another type than WASI preview 1 gives it")


def _check_exports(sections: Sections) -> None:
    start = sections.exports.get("_start")
    if start is None or start.kind != FUNC:
        raise InvalidFunction(
            "no-start",
            "the module exports no function _start",
            hint="compile it as a command (with main), and not as a library",
        )
    if sections.get_signature(sections.get_function_type(start.index)) != (b"", b""):
        raise InvalidFunction(
            "no-start",
            "the module's _start takes parameters or returns values",
            hint="compile it as a command, with main",
        )
    if sections.has_start:
        raise InvalidFunction(
            "start-function",
            "the module has a start section, which runs before its memory can be reached",
            hint="let the compiler export _start instead; AssemblyScript calls that option exportStart",
        )
    memory = sections.exports.get("memory")
    if memory is None or memory.kind != MEMORY or not sections.memories:
        raise InvalidFunction("no-memory", "the module exports no memory under the name memory")


def _check_sizes(sections: Sections) -> None:
    if len(sections.memories) > 1:
        raise InvalidFunction("too-many-memories", f"the module has {len(sections.memories)} memories instead of one")
    if sections.memories[0].flags & ~1:
        raise InvalidFunction("shared-memory", "the module's memory is shared, or has 64-bit addresses")
    if len(sections.functions) > MAX_FUNCTIONS:
        raise InvalidFunction(
            "too-many-functions",
            f"the module has {len(sections.functions)} functions; at most {MAX_FUNCTIONS} are compiled",
        )
    largest = max(sections.code_sizes, default=0)
    if largest > MAX_CODE_BYTES:
        raise InvalidFunction(
            "function-too-large", f"a function's body has {largest} bytes; at most {MAX_CODE_BYTES} are compiled"
        )
    if len(sections.tables) > MAX_TABLES:
        raise InvalidFunction(
            "table-too-large", f"the module has {len(sections.tables)} tables; at most {MAX_TABLES} are allowed"
        )
    for table in sections.tables:
        if table.least > MAX_TABLE_ELEMENTS:
            raise InvalidFunction(
                "table-too-large",
                f"a table starts with {table.least} elements; at most {MAX_TABLE_ELEMENTS} are allowed",
            )
