"""Who is accepted: honest updates are, and those of free riders and of liars are not."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from inos.learn.federated.admission import Candidate, Memory, Sketcher, admit
from inos.learn.federated.aggregation import FRACTION_BITS, aggregate
from support.federations import MEMBERS, SIZES, draw_changes, make_model

Rows = dict[bytes, NDArray[np.int64]]
MODEL = np.concatenate(make_model().list_trained())
RIDER, VICTIM = MEMBERS[0].address, MEMBERS[5].address


def to_rows(round: int) -> Rows:
    return {name: to_row(change) for name, change in draw_changes(round).items()}


def to_row(change: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(change * 2.0**FRACTION_BITS).astype(np.int64)


def blur(row: NDArray[np.int64], share: float, seed: int = 99) -> NDArray[np.int64]:
    noise = np.random.default_rng(seed).normal(size=row.size)
    return row + (noise * share * np.linalg.norm(row) / np.linalg.norm(noise)).astype(np.int64)


def make_memory(rounds: int = 3, size: int = sum(SIZES)) -> Memory:
    memory = Memory(Sketcher(size, seed=1))
    for number in range(1, rounds + 1):
        rows = list(to_rows(number).values())
        memory.add([*rows, aggregate("trimmed-mean", np.array(rows), 2)])
    return memory


def run(rows: Rows, memory: Memory | None = None) -> dict[bytes, str]:
    """Return why updates are refused."""
    candidates = [Candidate(name, row) for name, row in rows.items()]
    kept, refused = admit(candidates, MODEL, memory or make_memory(), "trimmed-mean", 2)
    assert {each.sender for each in kept} | set(refused) == set(rows)
    return {name: why.code for name, why in refused.items()}


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_honest_updates_are_accepted(rounds: int) -> None:
    assert run(to_rows(rounds + 1), make_memory(rounds)) == {}


OLD = to_rows(2)
MIXED = sum((to_rows(2)[each.address] // 10 for each in MEMBERS), np.zeros(sum(SIZES), np.int64))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(OLD[RIDER], id="its own"),
        pytest.param(OLD[VICTIM], id="another's"),
        pytest.param(-OLD[VICTIM], id="another's, turned round"),
        pytest.param(OLD[VICTIM] // 3, id="another's, smaller"),
        pytest.param(blur(OLD[VICTIM], 0.01), id="another's, with noise"),
        pytest.param(blur(OLD[VICTIM], 0.3), id="another's, with much noise"),
        pytest.param(blur(OLD[VICTIM], 1.0), id="another's, mostly noise"),
        pytest.param(MIXED, id="the mean of a round"),
        pytest.param(blur(MIXED, 0.2), id="the mean of a round, with noise"),
        pytest.param(OLD[RIDER] // 2 + to_rows(3)[VICTIM] // 2, id="a mixture of two"),
        pytest.param(to_row(MODEL * 0.01), id="the model itself"),
        pytest.param(np.zeros(sum(SIZES), np.int64), id="nothing"),
        pytest.param(blur(OLD[RIDER] * 0 + 1000, 1000.0), id="noise"),
    ],
)
def test_free_riders_earn_nothing(sent: NDArray[np.int64]) -> None:
    assert list(run(to_rows(4) | {RIDER: sent})) == [RIDER]


def test_of_two_updates_that_are_alike_the_first_is_kept() -> None:
    rows = to_rows(4)
    copies = {key.address: blur(rows[VICTIM], 0.02, seed=number) for number, key in enumerate(MEMBERS[8:])}
    assert run(rows | copies) == dict.fromkeys(copies, "double")


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (lambda row: -row, "disagrees"),
        (lambda row: row * 100, "bad-length"),
        (lambda row: row // 100, "bad-length"),
        (lambda row: blur(row, 50.0, seed=int(row[0]) % 1000), "bad-length"),
        (lambda row: blur(-row, 0.5), "disagrees"),
    ],
)
def test_liars_are_refused(attack: Callable[[NDArray[np.int64]], NDArray[np.int64]], code: str) -> None:
    rows = to_rows(1)
    rows |= {key.address: attack(rows[key.address]) for key in MEMBERS[:2]}
    assert run(rows, make_memory(0)) == dict.fromkeys([key.address for key in MEMBERS[:2]], code)


def test_deterministic_clients_are_no_free_riders() -> None:
    """Where all updates hardly change from round to round, none is much less new than the others."""
    random = np.random.default_rng(4)
    fixed = {key.address: random.normal(size=sum(SIZES)) + 3 for key in MEMBERS}
    memory = Memory(Sketcher(sum(SIZES), seed=2))
    memory.add(to_row(each) for each in fixed.values())
    moved = {name: to_row(each * 0.9 + 0.02 * random.normal(size=each.size)) for name, each in fixed.items()}
    assert run(moved, memory) == {}


def test_few_updates_and_none_are_borne() -> None:
    assert run({}) == {}
    rows = to_rows(4)
    assert run({RIDER: rows[RIDER]}) == {}
    assert run({RIDER: OLD[RIDER]}) == {RIDER: "resent"}


def test_sketches_keep_angles() -> None:
    sketcher, random = Sketcher(100_000, seed=3), np.random.default_rng(5)
    first, second = random.normal(size=(2, 100_000))
    for share in (0.1, 0.5, 0.9):
        other = share * first + (1 - share) * second
        exact = first @ other / np.linalg.norm(first) / np.linalg.norm(other)
        assert abs(sketcher.sketch(first) @ sketcher.sketch(other) - exact) < 0.1
    assert not sketcher.sketch(np.zeros(100_000)).any()


def test_short_rows_are_their_own_sketches() -> None:
    row = np.array([3.0, 4.0])
    assert Sketcher(2).sketch(row).tolist() == [0.6, 0.8]
