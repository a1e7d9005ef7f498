"""The figures of a customer's wait are shown beside the goal at the measured block interval."""

from inos.bench.jobs import JobWaits, describe_jobs, to_json

SMALL = JobWaits(
    shape=(512, 256, 1024), rounds=30, mean_s=5.25, longest_s=9.0, mean_blocks=2.5, interval_s=2.0, goal_s=7.0
)


def test_the_goal_is_said_in_blocks_and_seconds() -> None:
    lines = describe_jobs(([SMALL], 0.4))
    assert lines[0] == "load before the start 0.4"
    assert " ".join(lines[2].split()) == "512 x 256 x 1024 5.2 s 9.0 s 2.50 7.0 s = 3 blocks of 2.00 s + 1 s"
    assert to_json(([SMALL], 0.4))["jobs"][0]["mean_blocks"] == 2.5
