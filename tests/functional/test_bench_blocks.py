"""Run the worst blocks of a few kinds with tiny limits, and check that every figure is present and plausible."""

import msgspec
import pytest

from inos.bench.blocks.kinds import KINDS
from inos.bench.blocks.measure import BlockStats, measure_blocks
from inos.bench.blocks.report import describe_blocks, list_late

TINY = {
    "max_block_cost_us": 30_000,
    "max_block_bytes": 200_000,
    "max_checked_bytes": 1 << 18,
    "max_voters": 5,
    "jury_size": 3,
}
CHOSEN = ("transfers", "results, checked, small", "challenges, shallow", "jury reveals", "results paid", "votes")


@pytest.mark.long
def test_every_figure_is_there() -> None:
    kinds = [kind for kind in KINDS if kind.name in CHOSEN]
    found = list(measure_blocks("devnet", kinds, print, params=TINY, doublings=13, filler_rate=0.5))
    assert [stats.kind for stats in found] == list(CHOSEN)
    for stats in found:
        check_figures(stats)
    lines = describe_blocks(found)
    assert all(any(line.strip().startswith(name) for line in lines) for name in CHOSEN)
    late = msgspec.structs.replace(found[0], spacing_part=0.26, rival_s=0.251)
    assert [line.split(":")[0] for line in list_late(late)][-2:] == ["transfers", "transfers"]
    assert any("another block 251 ms" in line for line in list_late(late))


def check_figures(stats: BlockStats) -> None:
    assert 0 < stats.cost_us <= TINY["max_block_cost_us"]
    assert stats.transactions > 0 or stats.started > 0
    assert 0 < stats.bytes <= TINY["max_block_bytes"]
    assert 0 < stats.connect_s < 30
    assert stats.spacing_part == stats.connect_s / 2
    assert 0 < stats.relay_s < 30
    assert 0 < stats.make_s < 30
    assert 0 < stats.rival_s < 30
    assert 0 <= stats.loop_lag_s < 30
    for lateness in (stats.busy, stats.calm):
        assert 0 < lateness.read_p99 <= lateness.read_max < 30
    assert stats.load > 0
