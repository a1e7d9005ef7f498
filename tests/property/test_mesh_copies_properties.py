"""The separate decisions of all holders together keep the last copies, remove surplus ones and replace missing ones."""

from hypothesis import given
from hypothesis import strategies as st

from inos.mesh.copies import FLOOR, LEAST, MOST, SLACK, compute_rank, compute_target, decide, list_candidates
from inos.mesh.demand import HALF_LIFE_MS, Demand

ids = st.binary(min_size=32, max_size=32)
demands = st.floats(0, 2000)


@given(demands, demands, st.booleans())
def test_targets_rise_with_demand_between_their_bounds(one: float, more: float, is_promised: bool) -> None:
    low, high = compute_target(min(one, more), is_promised), compute_target(max(one, more), is_promised)
    assert (FLOOR if is_promised else LEAST) <= low <= high <= MOST
    assert compute_target(0.0, is_promised) == (FLOOR if is_promised else LEAST)


@given(st.lists(st.tuples(st.integers(0, HALF_LIFE_MS), st.floats(0, 100)), max_size=10))
def test_demand_falls_to_nothing(requests: list[tuple[int, float]]) -> None:
    demand, now = Demand(), 0
    for wait, count in requests:
        now += wait
        demand = demand.add(now, count)
    values = [demand.get(now + n * HALF_LIFE_MS) for n in range(20)]
    assert values == sorted(values, reverse=True)
    assert compute_target(values[-1], True) == FLOOR


@given(ids, st.sets(ids, min_size=1, max_size=40), demands, st.booleans(), st.randoms(use_true_random=False))
def test_the_nearest_keep_their_copies_whatever_each_of_them_sees(
    key: bytes, holders: set[bytes], demand: float, is_promised: bool, rng: object
) -> None:
    """Each holder has its own demand and sees a part of the others; deletions leave at least the minimum number of
    copies.
    """
    stays = set()
    for own in holders:
        seen = [other for other in sorted(holders - {own}) if rng.random() < 0.8]  # type: ignore[attr-defined]
        mine = demand * rng.random()  # type: ignore[attr-defined]
        decision = decide(own, key, seen, mine, is_promised=is_promised, short_rounds=0)
        if not decision.is_surplus:
            stays.add(own)
        assert not (decision.is_surplus and decision.invite)
        assert decision.target <= compute_target(float("1e9"), is_promised)
    floor = FLOOR if is_promised else LEAST
    nearest = sorted(holders, key=lambda one: compute_rank(one, key, holders))[: floor + SLACK]
    assert set(nearest) <= stays


@given(ids, st.sets(ids, min_size=1, max_size=40), st.booleans())
def test_who_sees_all_agree(key: bytes, holders: set[bytes], is_promised: bool) -> None:
    decisions = {
        own: decide(own, key, sorted(holders - {own}), 0.0, is_promised=is_promised, short_rounds=0) for own in holders
    }
    target = compute_target(0.0, is_promised)
    assert {each.target for each in decisions.values()} == {target}
    assert sum(not each.is_surplus for each in decisions.values()) == min(len(holders), target + SLACK)
    assert sum(each.invite for each in decisions.values()) == max(0, target - len(holders))


@given(ids, st.sets(ids, min_size=2, max_size=3), st.integers(0, 3))
def test_where_the_nearest_does_nothing_the_next_one_does(key: bytes, holders: set[bytes], rounds: int) -> None:
    for own in holders:
        others = sorted(holders - {own})
        decision = decide(own, key, others, 0.0, is_promised=True, short_rounds=rounds)
        assert bool(decision.invite) == (compute_rank(own, key, others) <= rounds)


@given(ids, st.sets(ids, max_size=20), st.sets(ids, max_size=20))
def test_candidates_are_no_holders_and_the_nearest_first(key: bytes, nodes: set[bytes], holders: set[bytes]) -> None:
    found = list_candidates(key, nodes, holders)
    assert set(found) == nodes - holders
    assert [compute_rank(one, key, found) for one in found] == list(range(len(found)))
