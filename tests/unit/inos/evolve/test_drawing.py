from inos.evolve.drawing import draw_fitness, draw_tree
from inos.evolve.records import Record
from inos.evolve.replay import Lineage


def make(seed: int, number: int, fitness: int, cited: bytes | None = None) -> tuple[bytes, Record]:
    parent = bytes([seed, number - 1]) * 16 if number else None
    return bytes([seed, number]) * 16, Record(
        1, bytes(32), bytes([seed]) * 20, bytes([seed]) * 32, number, parent, cited, bytes(32), fitness, None, None
    )


def test_a_chart_has_the_extremes_at_its_margin_and_a_column_for_each_generation() -> None:
    assert draw_fitness([]) == []
    assert draw_fitness([5]) == ["5 ┤ ", *["  ┤ "] * 6, "5 ┤▁", "   0"]
    lines = draw_fitness([-10, 0, 10], height=2)
    assert lines == [" 10 ┤  █", "-10 ┤▁██", "     0 2"]
    wide = draw_fitness(list(range(1000)), width=40)
    assert max(map(len, wide)) == 40 + 5


def test_a_tree_names_islands_and_what_they_took() -> None:
    other = make(2, 0, 50)
    records = dict([make(1, 0, 1), other, make(1, 1, 60, other[0]), make(1, 2, 61, bytes(32)), make(2, 1, 51)])
    head = make(1, 2, 61)[0]
    lines = draw_tree(Lineage(records, (bytes(32),), {}), head)
    assert lines == [
        "island 01010101 of 01010101: generations 0 to 2, fitness 1 to 61",
        "├─ 1 takes generation 0 (50) of island 02020202 of 02020202: generations 0 to 1, fitness 50 to 51",
        "└─ 2 takes record 00000000, which is not at hand",
    ]
    assert draw_tree(Lineage({}, (), {}), head) == [f"record {head.hex()} is not at hand"]


def test_islands_that_took_from_each_other_are_drawn_once() -> None:
    first, second = make(1, 0, 1), make(2, 0, 2)
    back = make(2, 1, 3, first[0])
    records = dict([first, second, back, make(1, 1, 4, back[0])])
    lines = draw_tree(Lineage(records, (), {}), make(1, 1, 4)[0])
    assert [line.strip().partition(":")[0] for line in lines][-1].endswith("island 01010101, as above")
    assert len(lines) == 3
