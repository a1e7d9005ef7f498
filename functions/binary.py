"""Reads the sections of a WebAssembly binary (version 1), as far as the rules for functions need them.

It reads types, imports, functions, tables, memories, exports, the start section and the sizes of bodies; it skips the
rest. Every count is bounded by the bytes that are left, so a short module cannot claim much.
"""

from typing import Final

from msgspec import Struct

from inos.functions.limits import MAX_ENTRIES

MAGIC: Final = b"\0asm\x01\0\0\0"
FUNC: Final = 0
TABLE: Final = 1
MEMORY: Final = 2
GLOBAL: Final = 3
ORDER: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11)
"""The sections' numbers in the order that they must have; 12 counts data segments. Custom sections stand anywhere."""
FUNC_TYPE: Final = 0x60
_TYPES: Final = frozenset((0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F))
"""i32, i64, f32, f64, v128, funcref and externref."""


class Malformed(Exception):
    """The bytes are not a module; `code` is "not-wasm" or "malformed-module"."""

    def __init__(self, text: str, code: str = "malformed-module") -> None:
        super().__init__(text)
        self.code = code


class Import(Struct, frozen=True):
    """An import; `type` is a function's type number, and -1 for other kinds."""

    module: str
    name: str
    kind: int
    type: int


class Export(Struct, frozen=True):
    kind: int
    index: int


class Limits(Struct, frozen=True):
    """The limits of a table or memory; bit 0 of `flags` says that there is an upper one."""

    flags: int
    least: int


class Sections(Struct):
    """What was read. Imported functions, tables and memories are in `imports` only."""

    types: list[tuple[bytes, bytes]]
    imports: list[Import]
    functions: list[int]
    tables: list[Limits]
    memories: list[Limits]
    exports: dict[str, Export]
    code_sizes: list[int]
    has_start: bool = False

    def get_signature(self, index: int) -> tuple[bytes, bytes] | None:
        """Return parameters and results of a type, or None if there is no such type."""
        return self.types[index] if 0 <= index < len(self.types) else None

    def get_function_type(self, index: int) -> int:
        """Return the type number of a function, imports counted first, or -1 if there is no such function."""
        types = [each.type for each in self.imports if each.kind == FUNC] + self.functions
        return types[index] if index < len(types) else -1


class Reader:
    """Reads numbers, names and vectors from bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def read_byte(self) -> int:
        if not self.left:
            raise Malformed("it ends too early")
        self._at += 1
        return self._data[self._at - 1]

    def read_bytes(self, length: int) -> memoryview:
        if length > self.left:
            raise Malformed("it ends too early")
        self._at += length
        return self._data[self._at - length : self._at]

    def read_number(self, bits: int = 32) -> int:
        """Read an unsigned LEB128 number of at most `bits` bits."""
        value = shift = 0
        while True:
            byte = self.read_byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= bits:
                raise Malformed("a number is too long")
        if value >> bits:
            raise Malformed("a number is too large")
        return value

    def read_count(self) -> int:
        """Read a vector's length; each of its elements has at least one byte."""
        count = self.read_number()
        if count > self.left:
            raise Malformed(f"a vector of {count} elements has {self.left} bytes")
        return count

    def read_entries(self) -> range:
        """Read the number of a section's entries."""
        count = self.read_count()
        if count > MAX_ENTRIES:
            raise Malformed(f"a section has {count} entries; at most {MAX_ENTRIES} are read")
        return range(count)

    def read_name(self) -> str:
        data = bytes(self.read_bytes(self.read_number()))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a name is not UTF-8") from error

    def read_limits(self) -> Limits:
        flags = self.read_byte()
        bits = 64 if flags & 4 else 32
        least = self.read_number(bits)
        if flags & 1:
            self.read_number(bits)
        return Limits(flags, least)

    def read_types(self) -> bytes:
        types = bytes(self.read_bytes(self.read_count()))
        if not _TYPES.issuperset(types):
            raise Malformed("a type is used that functions do not have")
        return types


def read_sections(module: bytes) -> Sections:
    """Read a module's sections.

    Raises:
        Malformed.
    """
    if module[: len(MAGIC)] != MAGIC:
        raise Malformed("it does not begin as a WebAssembly 1 module does", "not-wasm")
    found = Sections([], [], [], [], [], {}, [])
    reader, last = Reader(memoryview(module)[len(MAGIC) :]), -1
    while reader.left:
        number = reader.read_byte()
        content = Reader(reader.read_bytes(reader.read_number()))
        if number == 0:
            content.read_name()
            continue
        if number not in ORDER:
            raise Malformed(f"section {number} is none that functions have")
        if ORDER.index(number) <= last:
            raise Malformed(f"section {number} stands in the wrong place, or twice")
        last = ORDER.index(number)
        if number in _READERS:
            _READERS[number](content, found)
            if content.left:
                raise Malformed(f"section {number} is longer than its content")
    if len(found.code_sizes) != len(found.functions):
        raise Malformed("there is not one body for each function")
    return found


def _read_types(reader: Reader, found: Sections) -> None:
    for _ in reader.read_entries():
        if reader.read_byte() != FUNC_TYPE:
            raise Malformed("a type is used that functions do not have")
        found.types.append((reader.read_types(), reader.read_types()))


def _read_imports(reader: Reader, found: Sections) -> None:
    for _ in reader.read_entries():
        module, name, kind = reader.read_name(), reader.read_name(), reader.read_byte()
        type_number = -1
        if kind == FUNC:
            type_number = reader.read_number()
        elif kind == TABLE:
            reader.read_byte()
            reader.read_limits()
        elif kind == MEMORY:
            reader.read_limits()
        elif kind == GLOBAL:
            reader.read_bytes(2)
        else:
            raise Malformed(f"an import has the unknown kind {kind}")
        found.imports.append(Import(module, name, kind, type_number))


def _read_functions(reader: Reader, found: Sections) -> None:
    found.functions.extend(reader.read_number() for _ in reader.read_entries())


def _read_tables(reader: Reader, found: Sections) -> None:
    for _ in reader.read_entries():
        if reader.read_byte() not in _TYPES:
            raise Malformed("a table has a type that functions do not have")
        found.tables.append(reader.read_limits())


def _read_memories(reader: Reader, found: Sections) -> None:
    found.memories.extend(reader.read_limits() for _ in reader.read_entries())


def _read_exports(reader: Reader, found: Sections) -> None:
    for _ in reader.read_entries():
        name, kind, index = reader.read_name(), reader.read_byte(), reader.read_number()
        if name in found.exports:
            raise Malformed(f"{name!r} is exported twice")
        found.exports[name] = Export(kind, index)


def _read_start(reader: Reader, found: Sections) -> None:
    reader.read_number()
    found.has_start = True


def _read_code(reader: Reader, found: Sections) -> None:
    for _ in reader.read_entries():
        size = reader.read_number()
        reader.read_bytes(size)
        found.code_sizes.append(size)


_READERS: Final = {
    1: _read_types,
    2: _read_imports,
    3: _read_functions,
    4: _read_tables,
    5: _read_memories,
    7: _read_exports,
    8: _read_start,
    10: _read_code,
}
