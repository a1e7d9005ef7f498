import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.evolve.errors import InvalidRecord, InvalidRun
from inos.evolve.records import (
    MAX_FITNESS,
    MAX_RECORD_BYTES,
    MAX_RUN_BYTES,
    Record,
    Run,
    Trial,
    check_citation,
    check_link,
    compute_record_id,
    decode_record,
    decode_run,
    encode_record,
    encode_run,
)

HASHES = st.binary(min_size=32, max_size=32)
FITNESS = st.integers(-MAX_FITNESS, MAX_FITNESS)
TRIALS = st.builds(
    Trial,
    HASHES,
    st.lists(st.binary(max_size=256), max_size=8).map(tuple),
    st.integers(1, 32_768),
    st.integers(1, 2**36),
    st.integers(0, 1024),
)
RUNS = st.builds(
    Run, st.just(1), st.text(min_size=1, max_size=64), HASHES, HASHES, FITNESS, st.none() | TRIALS
)  # fmt: skip


@st.composite
def make_records(draw: st.DrawFn) -> Record:
    number = draw(st.integers(0, 2**31 - 1))
    return Record(
        1, draw(HASHES), draw(st.binary(min_size=20, max_size=20)), draw(HASHES), number,
        draw(HASHES) if number else None, draw(st.none() | HASHES), draw(HASHES), draw(FITNESS),
        draw(st.none() | HASHES), draw(st.none() | HASHES),
    )  # fmt: skip


RECORDS = make_records()


@given(RUNS)
def test_a_run_is_read_as_it_was_written(run: Run) -> None:
    data = encode_run(run)
    assert len(data) <= MAX_RUN_BYTES
    assert decode_run(data) == run


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    data = encode_record(record)
    assert len(data) <= MAX_RECORD_BYTES
    assert decode_record(data) == record


@given(RECORDS, st.data())
def test_every_changed_field_gives_another_id(record: Record, data: st.DataObject) -> None:
    other = data.draw(RECORDS)
    for name in Record.__struct_fields__:
        changed = msgspec.structs.replace(record, **{name: getattr(other, name)})
        assert (compute_record_id(changed) == compute_record_id(record)) == (changed == record)


@given(RECORDS, st.integers(0, 500), st.integers(0, 255))
def test_bytes_that_are_changed_are_no_record_or_another_one(record: Record, at: int, value: int) -> None:
    data = bytearray(encode_record(record))
    data[at % len(data)] = value
    try:
        found = decode_record(bytes(data))
    except InvalidRecord:
        return
    assert encode_record(found) == data


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for decode, error in ((decode_record, InvalidRecord), (decode_run, InvalidRun)):
        with contextlib.suppress(error):
            decode(data)


def test_too_long_a_record_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InvalidRecord, match="at most 512 bytes"):
        decode_record(b"\x9b" + bytes(600))


@given(RECORDS)
def test_only_the_first_generation_has_no_parent(record: Record) -> None:
    wrong = msgspec.structs.replace(record, parent=None if record.number else bytes(32))
    with pytest.raises(InvalidRecord, match="its parent do not fit"):
        decode_record(encode_record(wrong))


@given(RECORDS, RECORDS)
def test_a_record_follows_its_parent_in_run_owner_seed_and_number(parent: Record, other: Record) -> None:
    replace = msgspec.structs.replace
    parent = replace(parent, number=min(parent.number, 2**31 - 2))
    record = replace(parent, number=parent.number + 1)
    check_link(record, parent)
    for name in ("run", "owner", "seed", "number"):
        value = getattr(other, name)
        if value == getattr(record, name):
            continue
        with pytest.raises(InvalidRecord) as caught:
            check_link(replace(record, **{name: value}), parent)
        assert caught.value.code == "bad-link"


@given(RECORDS)
def test_a_citation_names_another_island_of_the_same_run(cited: Record) -> None:
    check_citation(cited.run, (cited.owner, bytes(32) if cited.seed != bytes(32) else b"\x01" * 32), cited)
    with pytest.raises(InvalidRecord, match="same island"):
        check_citation(cited.run, (cited.owner, cited.seed), cited)
    with pytest.raises(InvalidRecord, match="another run"):
        check_citation(bytes(31) + bytes([cited.run[31] ^ 1]), (cited.owner, b""), cited)
