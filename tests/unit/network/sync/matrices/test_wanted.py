"""The wanted matrices, without any I/O."""

from inos.mesh.store import MatrixInfo
from inos.network.sync.matrices.wanted import (
    MAX_UNSIZED,
    MAX_WANTS,
    SLOW_S,
    Allocate,
    FetchHead,
    FetchRun,
    WantedMatrices,
)

INFO = MatrixInfo(1, 16 * 40, 1024, b"\x03" * 32)


def begin(wants, id, peer="a"):
    question = wants.take(peer, 0.0, lambda id, limit: [])
    assert question == Allocate(id, INFO)
    assert wants.take("b", 0.0, lambda id, limit: [0]) is None  # not before there is room
    wants.set_begun(id)
    wants.release(peer, question, 0.0, is_lacking=False)


def test_runs_are_shared_out():
    wants = WantedMatrices(prefetch_bytes=0)
    missing = [0, 1, 3]
    assert wants.add(b"m", INFO, 100.0)
    begin(wants, b"m")
    first, second, third = (wants.take(peer, 0.0, lambda id, limit: missing) for peer in "aba")
    assert [first, second, third] == [FetchRun(b"m", 0), FetchRun(b"m", 1), FetchRun(b"m", 3)]
    assert wants.take("b", 0.0, lambda id, limit: missing) is None
    wants.release("a", first, 0.0, is_lacking=True)
    assert wants.take("a", 0.5, lambda id, limit: missing) is None
    assert wants.take("b", 0.5, lambda id, limit: missing) == FetchRun(b"m", 0)


def test_a_slow_peers_run_is_asked_of_one_more():
    wants = WantedMatrices(prefetch_bytes=0)
    wants.add(b"m", INFO, 100.0)
    begin(wants, b"m")
    assert wants.take("a", 0.0, lambda id, limit: [7]) == FetchRun(b"m", 7)
    assert wants.take("b", SLOW_S / 2, lambda id, limit: [7]) is None
    assert wants.take("a", SLOW_S, lambda id, limit: [7]) is None
    assert wants.take("b", SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)
    assert wants.take("c", 3 * SLOW_S, lambda id, limit: [7]) is None
    wants.release("a", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=True)
    assert wants.take("c", 3 * SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)
    wants.release("b", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=False)
    wants.release("c", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=False)
    assert wants.take("b", 3 * SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)


def test_an_unknown_matrix_is_first_asked_for_its_head():
    wants = WantedMatrices(prefetch_bytes=0)
    wants.add(b"m", None, 100.0)
    assert wants.take("a", 0.0, lambda id, limit: []) == FetchHead(b"m")
    assert wants.take("b", 0.0, lambda id, limit: []) is None
    wants.release("a", FetchHead(b"m"), 0.0, is_lacking=True)
    assert wants.take("b", 0.0, lambda id, limit: []) == FetchHead(b"m")
    assert wants.expire(100.0) == [b"m"]
    assert len(wants) == 0


def test_what_is_fetched_ahead_of_need_fits_a_budget():
    size = 16 * 40 * 1024
    wants = WantedMatrices(prefetch_bytes=2 * size)
    assert [wants.add(bytes([i]), INFO, 9.0, is_prefetch=True) for i in range(3)] == [True, True, False]
    assert wants.add(b"\x00", INFO, 9.0)
    assert wants.add(b"\x02", INFO, 9.0, is_prefetch=True)


def test_what_is_fetched_ahead_by_its_id_alone_fits_the_budget_once_its_size_is_known():
    size = 16 * 40 * 1024
    wants = WantedMatrices(prefetch_bytes=size)
    assert all(wants.add(bytes([i]), None, 9.0, is_prefetch=True) for i in range(MAX_UNSIZED))
    assert not wants.add(b"\xff", None, 9.0, is_prefetch=True)
    assert wants.take("a", 0.0, lambda id, limit: []) == FetchHead(b"\x00")
    wants.set_info(b"\x00", INFO)
    wants.set_info(b"\x01", INFO)
    assert b"\x00" in wants
    assert b"\x01" not in wants, "one more exceeds the budget"
    assert wants.add(b"\x02", None, 9.0)
    wants.set_info(b"\x02", INFO)
    assert b"\x02" in wants, "what is needed has no budget"
    assert wants.add(b"\xff", None, 9.0, is_prefetch=True)


def test_the_largest_limit_of_those_that_want_a_matrix_counts():
    wants = WantedMatrices(prefetch_bytes=0)
    for max_bytes, expected in ((5, 5), (3, 5), (7, 7), (None, None), (9, None)):
        wants.add(b"m", None, 9.0, max_bytes=max_bytes)
        assert wants.get(b"m").max_bytes == expected


def test_wanted_matrices_are_bounded():
    wants = WantedMatrices(prefetch_bytes=0)
    added = [wants.add(number.to_bytes(32, "big"), None, 100.0) for number in range(MAX_WANTS + 10)]
    assert sum(added) == len(wants) == MAX_WANTS
    assert wants.add(bytes(32), None, 200.0), "one that is wanted already needs no place"
    assert len(wants.expire(100.0)) == MAX_WANTS - 1
