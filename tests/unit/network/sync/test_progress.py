"""The names of sync's phases, how they follow each other, and the figures people are shown."""

import pytest

from inos.network.sync.progress import (
    NEAR_BLOCKS,
    STALL_S,
    Bottleneck,
    Phase,
    RateMeter,
    SyncMachine,
    SyncObservation,
    WaitTimes,
    describe_duration,
    make_status,
)


def see(machine, now, peers=2, height=0, headers=0, claimed=0, blocked_by=""):
    observation = SyncObservation(
        now=now,
        peers=peers,
        height=height,
        header_height=headers,
        claimed_height=claimed,
        is_learning=claimed > 0,
        blocked_by=blocked_by,
    )
    machine.observe(observation)
    return machine.phase


def test_a_sync_goes_through_its_phases_in_order():
    machine = SyncMachine(0.0)
    assert see(machine, 0.0, peers=0) is Phase.FINDING_PEERS
    assert see(machine, 1.0, claimed=1000) is Phase.HEADERS
    assert see(machine, 2.0, headers=512, claimed=1000) is Phase.HEADERS
    assert see(machine, 3.0, headers=1000) is Phase.BLOCKS
    assert see(machine, 4.0, height=900, headers=1000) is Phase.BLOCKS
    assert see(machine, 5.0, height=999, headers=1000) is Phase.FOLLOWING
    assert machine.since == 5.0


def test_who_follows_may_be_a_few_blocks_behind_and_not_more():
    machine = SyncMachine(0.0)
    see(machine, 0.0, height=100, headers=100)
    assert see(machine, 1.0, height=100, headers=100 + NEAR_BLOCKS) is Phase.FOLLOWING
    assert see(machine, 2.0, height=100, headers=101 + NEAR_BLOCKS) is Phase.BLOCKS
    # Once it syncs it goes on to the end.
    assert see(machine, 3.0, height=103, headers=101 + NEAR_BLOCKS) is Phase.BLOCKS
    assert see(machine, 4.0, height=100 + NEAR_BLOCKS, headers=101 + NEAR_BLOCKS) is Phase.FOLLOWING
    assert see(machine, 5.0, height=108, headers=109, claimed=109 + NEAR_BLOCKS) is Phase.FOLLOWING
    assert see(machine, 6.0, height=108, headers=109, claimed=110 + NEAR_BLOCKS) is Phase.HEADERS


@pytest.mark.parametrize("phase", [Phase.HEADERS, Phase.BLOCKS, Phase.FOLLOWING, Phase.STALLED])
def test_without_peers_it_looks_for_some_whatever_it_did(phase):
    machine = SyncMachine(0.0)
    sights = {
        Phase.HEADERS: {"claimed": 1000},
        Phase.BLOCKS: {"headers": 1000},
        Phase.FOLLOWING: {},
        Phase.STALLED: {"headers": 1000},
    }
    see(machine, 0.0, **sights[phase])
    now = STALL_S if phase is Phase.STALLED else 1.0
    assert see(machine, now, **sights[phase]) is phase
    assert see(machine, now + 1, peers=0, headers=1000) is Phase.FINDING_PEERS
    assert machine.reason == ""


def test_it_stalls_where_nothing_comes_and_says_why_and_goes_on_where_something_does():
    machine = SyncMachine(0.0)
    assert see(machine, 0.0, headers=50) is Phase.BLOCKS
    assert see(machine, STALL_S - 1, headers=50) is Phase.BLOCKS
    assert see(machine, STALL_S, headers=50) is Phase.STALLED
    assert str(machine) == "stalled: none of 2 peers sends block 1"
    assert see(machine, STALL_S + 1, headers=50, blocked_by="block 1 waits for 2 matrices") is Phase.STALLED
    assert machine.reason == "block 1 waits for 2 matrices"
    assert see(machine, STALL_S + 2, height=1, headers=50) is Phase.BLOCKS
    assert str(machine) == "blocks"
    assert see(machine, 2 * STALL_S + 1, height=1, headers=50) is Phase.BLOCKS
    assert see(machine, 2 * STALL_S + 2, height=1, headers=50) is Phase.STALLED


def test_a_claim_nobody_gives_headers_for_stalls():
    machine = SyncMachine(0.0)
    assert see(machine, 0.0, peers=1, claimed=9999) is Phase.HEADERS
    assert see(machine, STALL_S, peers=1, claimed=9999) is Phase.STALLED
    assert str(machine) == "stalled: 1 peer claims block 9999, and no header arrives"
    # The liar is not asked any more.
    assert see(machine, STALL_S + 1) is Phase.FOLLOWING


def test_the_wait_begins_when_there_is_something_to_wait_for():
    machine = SyncMachine(0.0)
    see(machine, 0.0, height=5, headers=5)
    see(machine, 1000.0, height=5, headers=5)
    assert see(machine, 1001.0, height=5, headers=5, claimed=50) is Phase.HEADERS
    assert see(machine, 1001.0 + STALL_S, height=5, headers=5, claimed=50) is Phase.STALLED


def test_rate_and_remaining_time_are_those_of_the_last_seconds():
    machine, meter, waits = SyncMachine(0.0), RateMeter(), WaitTimes()
    for second in range(31):
        height = 10 * second if second <= 20 else 200 + 100 * (second - 20)
        see(machine, float(second), height=height, headers=2000)
        meter.add(float(second), 2000, height, 7 * second)
    waits.add(5.0, Bottleneck.DISK, 100.0)
    waits.add(29.0, Bottleneck.STATE, 3.0)
    waits.add(30.0, Bottleneck.NETWORK, 1.0)
    observation = SyncObservation(now=30.0, peers=2, height=1200, header_height=2000)
    status = make_status(machine, observation, meter, waits)
    assert status.blocks_per_s == pytest.approx(100)
    assert status.transactions_per_s == pytest.approx(7)
    assert status.remaining_s == pytest.approx(8)
    assert status.bottleneck is Bottleneck.STATE
    assert status.time_shares[Bottleneck.NETWORK] == pytest.approx(0.25)
    text = "blocks 1200 of 2000, 100 blocks/s, 7 transactions/s, 8 s left, bounded by state"
    assert status.describe() == text


def test_headers_have_figures_of_their_own_and_following_has_none_that_mislead():
    machine, meter = SyncMachine(0.0), RateMeter()
    observation = SyncObservation(now=2.0, peers=1, height=0, header_height=400, claimed_height=1000, is_learning=True)
    machine.observe(observation)
    meter.add(1.0, 200, 0, 0)
    meter.add(2.0, 400, 0, 0)
    status = make_status(machine, observation, meter, WaitTimes())
    assert status.describe() == "headers 400 of 1000, 200 headers/s, 3 s left"
    done = SyncObservation(now=3.0, peers=1, height=400, header_height=400)
    machine.observe(done)
    status = make_status(machine, done, meter, WaitTimes())
    assert status.remaining_s is None
    assert status.describe() == "following at block 400"


def test_a_reorganisation_is_no_negative_rate():
    meter = RateMeter()
    meter.add(0.0, 10, 10, 0)
    meter.add(1.0, 10, 7, 0)
    assert meter.compute_rates() == (0.0, 0.0, 0.0)
    assert RateMeter().compute_rates() == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("seconds", "text"), [(41.6, "42 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations_are_for_people(seconds, text):
    assert describe_duration(seconds) == text
