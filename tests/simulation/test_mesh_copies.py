"""Follow the copies of a matrix among 300 nodes that come and go, with the policy of real nodes."""

from itertools import pairwise

import pytest

from copies_model import Item, World
from inos.mesh.copies import FLOOR, MOST, SLACK
from mesh_copies import make_world

PROMISED = Item("it", b"\x11" * 32, promised_until_h=1000.0)


@pytest.fixture(scope="module", params=[1, 2, 3])
def world(request: pytest.FixtureRequest) -> World:
    world = make_world(300, request.param)
    world.run(30)
    return world


def list_up(world: World, name: str, since_h: float, until_h: float) -> list[int]:
    return [each.up for each in world.series[name] if since_h * 60 <= each.minute < until_h * 60]


def test_what_is_in_demand_spreads_and_shrinks_again(world: World) -> None:
    assert max(list_up(world, "wanted", 1, 6)) <= 3
    assert min(list_up(world, "wanted", 8, 18)) >= MOST - 5
    assert max(list_up(world, "wanted", 8, 30)) <= MOST + 6
    assert max(list_up(world, "wanted", 26, 30)) <= MOST // 2
    assert world.counts["served"] == world.counts["asked"] > 6000


def test_what_is_promised_shrinks_to_its_floor_and_stays_there(world: World) -> None:
    assert list_up(world, "promised", 0, 0.02)[0] > 35
    late = list_up(world, "promised", 2, 30)
    assert min(late) >= FLOOR - 2
    assert sum(late) / len(late) >= FLOOR - 0.2
    assert sum(late) / len(late) <= FLOOR + SLACK + 1


def test_what_nobody_wants_shrinks(world: World) -> None:
    assert max(list_up(world, "nobody", 2, 30)) <= 3


def test_counts_converge(world: World) -> None:
    """Without new demand, copies are made only because nodes leave."""
    late = list_up(world, "lost", 5, 30)
    assert sum(abs(one - other) for one, other in pairwise(late)) < 0.1 * len(late)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_holder_restores_what_is_promised(seed: int) -> None:
    world = World(300, [PROMISED], seed)
    world.place(PROMISED, 12)
    world.run(3)
    world.lose(PROMISED.id, but=1)
    assert len(world.list_holders(PROMISED.id)) == 1
    world.run(2)
    assert min(list_up(world, "it", 3, 5)) >= 1
    assert world.series["it"][-1].up >= FLOOR - 1


def test_the_same_seed_gives_the_same_world() -> None:
    first, second = (make_world(60, 9) for _ in range(2))
    first.run(2)
    second.run(2)
    assert first.series == second.series
    assert first.counts == second.counts
