"""Every attack of benchmarks/attacks.py draws tickets with correct digests; otherwise it would not be an attack."""

import numpy as np
import pytest

from cheating import compiled
from cheating.compiled import NoCheat
from cheating.kernel import FACTORS, PLAIN, REUSE, SEVEN_BITS, Cheat, Deal
from cheating.measure import check_wins, measure
from cheating.strategies import HONEST, Turn, list_attacks, make_random
from cheating.sums import compute_sums
from inos import work
from inos.primitives.errors import InvalidCertificate
from inos.primitives.units import U256_MAX
from inos.work import Operand
from inos.work.backends.native.library import find_kernels

ANCHOR = b"\x07" * 32
Ticket = tuple[int, int, int]

pytestmark = pytest.mark.skipif(not find_kernels(), reason="the kernels were not compiled")
KERNELS = list(find_kernels())


@pytest.fixture(scope="module", params=KERNELS)
def cheat(request: pytest.FixtureRequest) -> Cheat:
    try:
        return Cheat(request.param, 2)
    except NoCheat as error:
        pytest.skip(str(error))


def draw_honestly(x: Operand, w: Operand) -> dict[Ticket, bytes]:
    """Compute all tickets with the reference."""
    found: dict[Ticket, bytes] = {}
    lottery = work.Lottery(w, ANCHOR, U256_MAX, backend="numpy")
    lottery.draw(x, 0, x.strips, lambda i, j, p, digest: found.setdefault((i, j, p), digest))
    return found


def draw_cheating(cheat: Cheat, deal: Deal) -> dict[Ticket, bytes]:
    found: dict[Ticket, bytes] = {}
    tickets = cheat.draw(deal, lambda i, j, p, digest: found.setdefault((i, j, p), digest))
    assert tickets == len(found)
    return found


def make_constant(value: int, rows: int, cols: int) -> Operand:
    return Operand.commit(np.full((rows, cols), value, dtype=np.int8))


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (70, 100, 1500), (290, 530, 2048)])
def test_tickets_without_a_product_are_tickets(cheat: Cheat, m: int, n: int, k: int) -> None:
    x, w = make_random(m, k, 1), make_random(n, k, 2)
    assert draw_cheating(cheat, Deal(x, w, ANCHOR, U256_MAX, PLAIN)) == draw_honestly(x, w)


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (70, 100, 1500), (290, 530, 2048)])
def test_zeros_through_the_factors_of_the_noise_are_tickets(cheat: Cheat, m: int, n: int, k: int) -> None:
    x, w = make_constant(0, m, k), make_constant(0, n, k)
    assert draw_cheating(cheat, Deal(x, w, ANCHOR, U256_MAX, FACTORS)) == draw_honestly(x, w)


def test_noise_of_seven_bits_gives_tickets(cheat: Cheat) -> None:
    x, w = make_constant(-64, 96, 2048), make_constant(0, 272, 2048)
    assert draw_cheating(cheat, Deal(x, w, ANCHOR, U256_MAX, SEVEN_BITS)) == draw_honestly(x, w)


def test_reused_sums_give_tickets_of_another_x(cheat: Cheat) -> None:
    if not cheat.has(REUSE):
        pytest.skip("this kernel has no code for it")
    first, w = make_random(64, 1024, 3), make_random(48, 1024, 4)
    other = first.array.copy()
    other[-1, 0] ^= 1
    x = Operand.commit(other)
    sums = compute_sums(first, w, ANCHOR)[:-1]
    found = draw_cheating(cheat, Deal(x, w, ANCHOR, U256_MAX, REUSE, sums))
    expected = draw_honestly(x, w)
    assert len(found) == 3 * 3
    assert found.items() <= expected.items()


def test_every_attack_wins_what_a_node_accepts() -> None:
    backend = work.list_backends()[0].name if work.list_backends()[0].is_available else f"native-{KERNELS[0]}"
    try:
        cheat = Cheat(backend.removeprefix("native-"), 2)
    except NoCheat as error:
        pytest.skip(str(error))
    attacks = [attack for attack in list_attacks(cheat, backend, 2, (256, 256, 2048)) if " x " not in attack.name]
    results = measure(attacks, 1)
    assert results[0].name == HONEST
    assert len(results) > 8
    assert all(result.verified for result in results if result.name != HONEST)


def test_a_wrong_digest_is_no_win() -> None:
    x = w = make_random(16, 64, 1)
    with pytest.raises(InvalidCertificate, match="another digest"):
        check_wins(Turn(x, w, ANCHOR, 1), [(0, 0, 0, bytes(32))], U256_MAX)


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(compiled, "_ROOT", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    compiled.load_cheat.cache_clear()
    with pytest.raises(NoCheat, match="no C compiler"):
        compiled.load_cheat(KERNELS[0])
    compiled.load_cheat.cache_clear()
