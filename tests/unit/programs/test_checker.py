"""Every rule of the language refuses what breaks it, and nothing that is at its limit."""

from typing import Any

import pytest

from inos.primitives.matrices import DType
from inos.programs import Given, Inline, Input, InvalidProgram, Node, Program, Repeat, Stored, Type, check_program
from inos.programs.ops import (
    Add,
    Clamp,
    Concat,
    Gather,
    IntDiv,
    MatmulT,
    Mul,
    Random,
    ReduceMax,
    ReduceSum,
    Table,
    View,
)
from support.program_parts import INT7, make, nest, one, source

BIG = 2**62
KEY = Type(1, 4, -BIG, BIG)
LOOP = make([INT7], (Clamp(-64, 63), (0,)), outputs=(1,))
PASS = make([INT7])
ID = bytes(32)


def box(rows: int, cols: int, lo: int = 0, hi: int = 1) -> Type:
    return Type(rows, cols, lo, hi)


def many(count: int) -> Program:
    return make([INT7], *[(Clamp(-64, 63), (0,))] * count)


BROKEN: dict[str, tuple[str, Program]] = {
    "no rows": ("bad-size", make([box(0, 4)])),
    "negative columns": ("bad-size", make([box(4, -1)])),
    "10^12 rows": ("bad-size", make([box(10**12, 1)])),
    "one entry too many": ("bad-size", make([box(2**31 + 1, 1)])),
    "an interval beyond 62 bits": ("out-of-range", make([box(1, 1, 0, BIG + 1)])),
    "an empty interval": ("out-of-range", make([box(1, 1, 1, 0)])),
    "no outputs": ("bad-outputs", make([INT7], outputs=())),
    "17 outputs": ("too-many", make([INT7], outputs=(0,) * 17)),
    "an output that is not there": ("bad-reference", make([INT7], outputs=(1,))),
    "a negative output": ("bad-reference", make([INT7], outputs=(-1,))),
    "4,097 inputs": ("too-many", make([INT7] * 4097)),
    "65,537 nodes": ("too-many", many(65_537)),
    "65,537 nodes with those of a body": ("too-many", make([INT7], (Repeat(1, many(65_536), 0, 0), (0,)))),
    "1,025 operands": ("too-many", make([INT7], (Concat(0), (0,) * 1025))),
    "no operands": ("bad-operands", make([INT7], (Concat(0), ()))),
    "one operand too few": ("bad-operands", make([INT7], (Add(), (0,)))),
    "one operand too many": ("bad-operands", make([INT7], (Clamp(0, 1), (0, 0)))),
    "a later value": ("bad-reference", make([INT7], (Add(), (0, 1)))),
    "a negative value": ("bad-reference", make([INT7], (Add(), (0, -1)))),
    "a product that is too wide": ("shape-conflict", one(MatmulT(1), box(1, 65_537), box(1, 65_537))),
    "depths that differ": ("shape-conflict", one(MatmulT(1), box(4, 3), box(4, 4))),
    "blocks that do not divide": ("shape-conflict", one(MatmulT(3), INT7, INT7)),
    "no blocks": ("shape-conflict", one(MatmulT(0), INT7, INT7)),
    "an operand of 8 bits": ("not-int7", one(MatmulT(1), INT7, box(4, 4, 0, 64))),
    "a sum beyond 62 bits": ("out-of-range", one(Add(), box(1, 1, 0, BIG), box(1, 1, 0, 1))),
    "shapes that do not broadcast": ("shape-conflict", one(Add(), box(2, 2), box(3, 2))),
    "a product beyond 62 bits": ("out-of-range", one(Mul(62), box(1, 1, 0, 2**32), box(1, 1, 0, 2**31))),
    "a rounding term beyond 62 bits": ("out-of-range", one(Mul(1), box(1, 1, 0, BIG), box(1, 1, 0, 1))),
    "a shift of 63": ("bad-attribute", one(Mul(63), INT7, INT7)),
    "a negative shift": ("bad-attribute", one(Mul(-1), INT7, INT7)),
    "a divisor that may be 0": ("bad-divisor", one(IntDiv(), INT7, box(4, 4, 0, 5))),
    "an empty clamp": ("bad-attribute", one(Clamp(1, 0), INT7)),
    "a clamp beyond 62 bits": ("out-of-range", one(Clamp(BIG + 1, BIG + 2), INT7)),
    "an index before the table": ("index-out-of-range", one(Table(-63), INT7, box(1, 200))),
    "an index behind the table": ("index-out-of-range", one(Table(-64), INT7, box(1, 127))),
    "a table of two rows": ("shape-conflict", one(Table(-64), INT7, box(2, 128))),
    "a table of 65,537 entries": ("shape-conflict", one(Table(-64), INT7, box(1, 65_537))),
    "axis 2": ("bad-attribute", one(ReduceMax(2), INT7)),  # type: ignore[arg-type]
    "axis -1": ("bad-attribute", one(Concat(-1), INT7)),  # type: ignore[arg-type]
    "a reduction beyond 62 bits": ("out-of-range", one(ReduceSum(0), box(5, 1, 0, 2**60))),
    "a view that begins too early": ("index-out-of-range", one(View(2, ((4, -1),), ((1, 0),)), INT7)),
    "a view that ends too late": ("index-out-of-range", one(View(13, ((4, 1),), ((1, 0),)), INT7)),
    "a view without entries": ("bad-attribute", one(View(0, ((0, 1),), ((1, 0),)), INT7)),
    "a view of no dimensions": ("bad-attribute", one(View(0, (), ((1, 0),)), INT7)),
    "a view of five dimensions": ("bad-attribute", one(View(0, ((1, 0),) * 5, ((1, 0),)), INT7)),
    "a view that is too large": ("bad-size", one(View(0, ((2**31, 0),), ((2, 0),)), INT7)),
    "an index of two columns": ("shape-conflict", one(Gather(), INT7, box(1, 2))),
    "a row that is not there": ("index-out-of-range", one(Gather(), INT7, box(2, 1, 0, 4))),
    "a negative row": ("index-out-of-range", one(Gather(), INT7, box(2, 1, -1, 3))),
    "parts of other widths": ("shape-conflict", one(Concat(0), INT7, box(4, 3))),
    "0 random bits": ("bad-attribute", one(Random(1, 1, 0), KEY)),
    "17 random bits": ("bad-attribute", one(Random(1, 1, 17), KEY)),
    "a key of 65 entries": ("shape-conflict", one(Random(1, 1, 8), box(65, 1))),
    "too many random entries": ("bad-size", one(Random(2**31, 2, 8), KEY)),
    "2^40 iterations": ("bad-attribute", nest(1, Clamp(-64, 63), 2**40)),
    "no iteration": ("bad-attribute", nest(1, Clamp(-64, 63), 0)),
    "five loops deep": ("too-many", nest(5, Clamp(-64, 63))),
    "more elements than 2^40": ("too-many", nest(3, Clamp(-64, 63), 2**13)),
    "an operand that the body does not take": ("bad-operands", make([INT7], (Repeat(2, LOOP, 1, 0), (0, 0)))),
    "more carried values than operands": ("bad-attribute", make([INT7], (Repeat(2, LOOP, 2, 0), (0,)))),
    "more carried values than results": ("bad-loop", make([INT7] * 2, (Repeat(2, make([INT7] * 2), 2, 0), (0, 1)))),
    "rows that cannot be sliced": ("shape-conflict", make([box(3, 4)], (Repeat(2, PASS, 0, 1), (0,)))),
    "slices of other dimensions": ("bad-loop", make([INT7], (Repeat(2, PASS, 0, 1), (0,)))),
    "an operand wider than declared": ("bad-loop", make([box(4, 4, -65, 63)], (Repeat(2, PASS, 0, 0), (0,)))),
    "a carried value that grows": (
        "bad-loop",
        make([INT7], (Repeat(2, make([INT7], (Add(), (0, 0)), outputs=(1,)), 1, 0), (0,))),
    ),
    "a body with a constant": (
        "bad-source",
        make([INT7], (Repeat(2, make([Input(INT7, Inline(bytes(16)))]), 0, 0), (0,))),
    ),
    "stacked results that are too large": (
        "bad-size",
        make([box(2**12, 1)], (Repeat(2**20, make([box(2**12, 1)]), 0, 0), (0,))),
    ),
    "a body without outputs": ("bad-outputs", make([INT7], (Repeat(2, make([INT7], outputs=()), 0, 0), (0,)))),
    "inline bytes that are too few": ("bad-source", source(box(1, 2), Inline(b"\x01"))),
    "inline entries outside their interval": ("bad-source", source(box(1, 2), Inline(b"\x01\x02"))),
    "a stored operand of 8 bits": ("bad-source", source(box(1, 1, 0, 64), Stored(ID, DType.INT7))),
    "a stored operand that is too long": ("bad-source", source(box(2**20 + 1, 1), Stored(ID, DType.INT7))),
    "a stored product": ("bad-source", source(INT7, Stored(ID, DType.INT32))),
    "a file of over a GiB": ("bad-source", source(box(2**28, 1, 0, BIG), Stored(ID, DType.BYTES))),
}

ALLOWED: dict[str, tuple[Program, Type]] = {
    "2^31 entries": (make([box(2**31, 1)]), box(2**31, 1)),
    "16 outputs": (make([INT7], outputs=(0,) * 16), INT7),
    "65,536 nodes": (many(65_536), INT7),
    "a depth of 65,536": (
        one(MatmulT(1), box(1, 65_536, -64, 63), box(2, 65_536, -64, 63)),
        Type(1, 2, -(2**28) + 2**22, 2**28),
    ),
    "62 bits": (one(Add(), box(1, 1, 0, BIG - 1), box(1, 1, 0, 1)), box(1, 1, 0, BIG)),
    "a product of 62 bits": (one(Mul(0), box(1, 1, 0, 2**31), box(1, 1, 0, 2**31)), box(1, 1, 0, BIG)),
    "a shift of 62": (one(Mul(62), box(1, 1, 0, 2**30), box(1, 1, 0, 2**31)), box(1, 1, 0, 1)),
    "a divisor of 1": (one(IntDiv(), box(1, 1, -7, 7), box(1, 1, 1, 2)), box(1, 1, -7, 7)),
    "a quotient of negatives": (one(IntDiv(), box(1, 1, -7, -4), box(1, 1, 2, 3)), box(1, 1, -3, -1)),
    "a clamp beside the interval": (one(Clamp(100, 200), INT7), Type(4, 4, 100, 100)),
    "a table that just fits": (one(Table(-64), INT7, box(1, 128, 5, 9)), Type(4, 4, 5, 9)),
    "a view to the last entry, backwards": (one(View(15, ((16, -1),), ((1, 0),)), INT7), Type(16, 1, -64, 63)),
    "16 random bits": (one(Random(2, 3, 16), KEY), Type(2, 3, -(2**15), 2**15 - 1)),
    "four loops deep": (nest(4, Clamp(-64, 63)), INT7),
    "2^20 iterations": (nest(1, Clamp(-64, 63), 2**20), INT7),
    "a stored operand": (source(INT7, Stored(ID, DType.INT7)), INT7),
    "a stored file": (source(box(1, 1, -BIG, BIG), Stored(ID, DType.BYTES)), box(1, 1, -BIG, BIG)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_refused(name: str) -> None:
    code, program = BROKEN[name]
    with pytest.raises(InvalidProgram) as caught:
        check_program(program)
    assert caught.value.code == code, caught.value


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_at_a_limit_is_allowed(name: str) -> None:
    program, type_ = ALLOWED[name]
    assert check_program(program).results[0] == type_


def test_the_message_names_the_node_and_the_rule() -> None:
    inner = make([INT7], (Clamp(-64, 63), (0,)), (Mul(0), (1, 1)), (Mul(99), (1, 1)), outputs=(1,))
    with pytest.raises(InvalidProgram, match=r"^node 1 \(REPEAT\): in its body, node 2 \(MUL\): its shift is 99"):
        check_program(make([INT7], (Clamp(0, 1), (0,)), (Repeat(2, inner, 0, 0), (0,))))


def test_a_loop_multiplies_its_body_and_counts_each_iteration() -> None:
    cost = check_program(nest(2, Clamp(-64, 63), 100)).cost
    assert (cost.elements, cost.units) == (16 * 100 * 100, 100 * (1 + 100 * (1 + 1)))


def test_a_loop_over_nothing_costs_its_iterations_and_its_copies() -> None:
    """An empty body copies 8,192 entries an iteration; each iteration is at least one unit."""
    wide = box(1, 8192)
    program = make([wide, box(1, 1)], (Repeat(1000, make([wide, box(1, 1)]), 1, 0), (0, 1)))
    assert check_program(program).cost.units == 1000
    program = make([wide], (Repeat(1000, make([wide]), 0, 0), (0,)))
    assert check_program(program).cost.units == 1000 * 2


def test_counts_stop_at_2_to_the_62() -> None:
    wide = box(2**15, 2**15)
    program = make([wide, wide], (MatmulT(1), (0, 1)), outputs=(0,))
    for _ in range(4):
        program = make([wide, wide], (Repeat(2**20, program, 1, 0), (0, 1)), outputs=(2,))
    cost = check_program(program).cost
    assert (cost.macs, cost.tickets, cost.elements) == (BIG, BIG, 0)


def test_peak_memory_counts_what_lives_together() -> None:
    """1,000 int32 entries, the second of four values dies before the last is made."""
    wide = box(1000, 1, 0, 1000)
    chain: list[Any] = [(Add(), (0, 0)), (Add(), (1, 1)), (Add(), (2, 2))]
    assert check_program(make([wide], *chain, outputs=(3,))).cost.peak_bytes == 3 * 4000
    assert check_program(make([wide], *chain, outputs=(1, 3))).cost.peak_bytes == 4 * 4000


def test_peak_memory_of_a_loop_counts_stacked_results_and_one_iteration() -> None:
    wide = box(1000, 1, 0, 1000)
    body = make([wide, wide], (Add(), (0, 1)), (Clamp(0, 1000), (2,)), outputs=(3, 2))
    program = make([wide, wide], (Repeat(5, body, 1, 0), (0, 1)), outputs=(2, 3))
    assert check_program(program).cost.peak_bytes == 4000 * (2 + 5 + 3)


def test_a_loop_that_shares_bodies_is_counted_as_a_tree() -> None:
    program = many(2)
    for _ in range(4):
        program = Program(program.inputs, (Node(Repeat(1, program, 0, 0), (0,)),) * 20, (0,))
    with pytest.raises(InvalidProgram, match="65536 nodes"):
        check_program(program)


def test_given_inputs_are_in_order() -> None:
    program = make([INT7, Input(box(1, 1), Inline(b"\x01")), box(2, 2)])
    assert check_program(program).given == (INT7, box(2, 2))
    assert isinstance(program.inputs[0].source, Given)
