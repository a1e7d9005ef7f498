import pytest

from inos.bench.net.tips import TipWatch


def test_delays_are_from_the_first_and_of_blocks_all_have_built_on() -> None:
    watch = TipWatch()
    watch.seen = {
        "early": {"a": 9.0, "b": 9.5, "c": 9.6},
        "one": {"a": 10.0, "b": 10.2, "c": 10.5},
        "stale": {"b": 11.0},
        "two": {"c": 12.0, "a": 12.1, "b": 12.4},
        "late": {"a": 20.0, "b": 20.1, "c": 20.2},
    }
    assert watch.list_delays(10.0, until=20.0, nodes=["a", "b", "c"]) == pytest.approx([0.1, 0.2, 0.4, 0.5])
    assert watch.list_delays(10.0, until=20.0, nodes=["a", "b"]) == pytest.approx([0.2, 0.3])
    assert watch.list_delays(30.0, until=40.0, nodes=["a", "b"]) == []
