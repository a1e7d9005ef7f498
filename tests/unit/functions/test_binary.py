"""The section reader: what the engine accepts it reads, and it survives everything else."""

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from inos.functions.binary import MAGIC, Malformed, read_sections
from support.functions import assemble, build, write

MODULE = build(write(0, 4), extra='(table 3 9 funcref) (data (i32.const 0) "text") (global (mut i32) (i32.const 7))')


def test_it_reads_what_the_rules_need() -> None:
    found = read_sections(MODULE)
    assert [(each.module, each.name) for each in found.imports] == [("wasi_snapshot_preview1", "fd_write")]
    assert found.get_signature(found.imports[0].type) == (b"\x7f\x7f\x7f\x7f", b"\x7f")
    assert [each.least for each in found.tables] == [3]
    assert [each.least for each in found.memories] == [1]
    assert set(found.exports) == {"memory", "_start"}
    assert found.get_signature(found.get_function_type(found.exports["_start"].index)) == (b"", b"")
    assert len(found.functions) == len(found.code_sizes) == 1
    assert not found.has_start


def test_a_start_section_is_seen() -> None:
    assert read_sections(assemble("(module (func $f) (start $f))")).has_start


@given(st.data())
def test_changed_bytes_are_read_or_refused(data: st.DataObject) -> None:
    """A changed module raises nothing but `Malformed`; if the engine takes it, so does the reader."""
    changed = bytearray(MODULE)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)))])
    try:
        read_sections(cut)
    except Malformed:
        with pytest.raises(wasmtime.WasmtimeError):
            wasmtime.Module.validate(make_lenient_engine(), cut)


def make_lenient_engine() -> wasmtime.Engine:
    from inos.functions.engine import make_engine

    return make_engine(2**20)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (b"", ""),
        (b"\x01\x05\x00", "ends too early"),
        (b"\x01\xff\xff\xff\xff\x0f", "ends too early"),
        (b"\x01\x80\x80\x80\x80\x80\x00", "too long"),
        (b"\x01\x85\x80\x80\x80\x7f", "too large"),
        (b"\x01\x05\xff\xff\xff\xff\x0f", "a vector of 4294967295 elements"),
        (b"\x03\x01\x00\x01\x01\x00", "wrong place, or twice"),
        (b"\x01\x01\x00\x01\x01\x00", "wrong place, or twice"),
        (b"\x01\x02\x00\x00", "longer than its content"),
        (b"\x0d\x01\x00", "section 13 is none"),
        (b"\x40\x01\x00", "section 64 is none"),
        (b"\x01\x04\x01\x5f\x00\x00", "a type is used"),
        (b"\x01\x05\x01\x60\x01\x6e\x00", "a type is used"),
        (b"\x02\x06\x01\x01\xff\x01a\x00\x00", "not UTF-8"),
        (b"\x02\x06\x01\x01a\x01b\x05", "unknown kind 5"),
        (b"\x03\x02\x01\x00", "one body for each function"),
        (b"\x07\x0d\x02\x03abc\x00\x00\x03abc\x00\x00", "exported twice"),
        (b"\x00\x02\x05a", "ends too early"),
    ],
)
def test_malformed_sections(sections: bytes, words: str) -> None:
    if not words:
        read_sections(MAGIC + sections)
        return
    with pytest.raises(Malformed, match=words) as refused:
        read_sections(MAGIC + sections)
    assert refused.value.code == "malformed-module"


@pytest.mark.parametrize("data", [b"", b"\0asm", b"\0asm\x02\0\0\0", b"\0asm\x0d\0\x01\0", b"(module)", b"\x7fELF" * 4])
def test_other_files_are_no_modules(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read_sections(data)
    assert refused.value.code == "not-wasm"
