import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.evolve.elites import Elite, add_members, decode_elites, encode_elites, find_best
from inos.evolve.errors import InvalidRecord

MEMBERS = st.lists(
    st.tuples(st.integers(0, 15), st.integers(-50, 50), st.binary(min_size=32, max_size=32)), min_size=1, max_size=60
)


@given(MEMBERS, MEMBERS)
def test_a_cell_keeps_the_first_of_its_fittest_members(
    first: list[tuple[int, int, bytes]], second: list[tuple[int, int, bytes]]
) -> None:
    elites = add_members(add_members((), first), second)
    for elite in elites:
        inside = [each for each in (*first, *second) if each[0] == elite.cell]
        best = max(fitness for _, fitness, _ in inside)
        assert (elite.cell, elite.fitness, elite.genome) == next(each for each in inside if each[1] == best)
    assert {each.cell for each in elites} == {cell for cell, _, _ in (*first, *second)}
    assert find_best(elites).fitness == max(fitness for _, fitness, _ in (*first, *second))
    assert decode_elites(encode_elites(elites)) == elites


def test_of_equally_fit_elites_the_lowest_cell_is_best() -> None:
    elites = tuple(Elite(cell, 7, bytes(32)) for cell in (2, 5))
    assert find_best(elites).cell == 2


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        (Elite(2, 0, bytes(32)), Elite(1, 0, bytes(32))),
        (Elite(2, 0, bytes(32)), Elite(2, 1, bytes(32))),
        ((0, 0, bytes(31)),),
        ((1024, 0, bytes(32)),),
        ((0, 2**62 + 1, bytes(32)),),
    ],
)
def test_what_is_no_map_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidRecord) as caught:
        decode_elites(msgspec.msgpack.encode(wrong))
    assert caught.value.code == "bad-elites"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_map_or_refused(data: bytes) -> None:
    try:
        elites = decode_elites(data)
    except InvalidRecord:
        return
    assert encode_elites(elites) == data
