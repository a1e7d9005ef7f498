"""Tests the check for noise in pieces by simulated workers."""

import random

import pytest

from inos.workers.pool.fairness import LEAST_PIECES, PieceRecord, add_piece, add_share

TICKETS, WEIGHT = 20_000, 50_000


def deliver(rng: random.Random, pieces: int, honest_part: float) -> int | None:
    """Return after how many pieces the worker was refused, or None."""
    record = PieceRecord()
    for number in range(1, pieces + 1):
        if rng.random() < honest_part:
            for _ in range(4):
                if rng.random() < TICKETS / WEIGHT / 4:
                    record = add_share(record, WEIGHT)
        record = add_piece(record, TICKETS, WEIGHT)
        if record.is_refused:
            return number
    return None


def test_honest_workers_are_not_refused() -> None:
    refused = [deliver(random.Random(seed), 600, 1.0) for seed in range(200)]
    assert sum(each is not None for each in refused) <= 1


@pytest.mark.parametrize(("honest_part", "within"), [(0.0, 70), (0.5, 400), (0.8, 3000)])
def test_rows_without_noise_are_noticed(honest_part: float, within: int) -> None:
    refused = [deliver(random.Random(seed), within, honest_part) for seed in range(20)]
    assert all(each is not None and each >= LEAST_PIECES for each in refused), refused


def test_an_honest_past_does_not_cover_what_comes_later() -> None:
    record = PieceRecord()
    rng = random.Random(5)
    for _ in range(20_000):
        if rng.random() < TICKETS / WEIGHT:
            record = add_share(record, WEIGHT)
        record = add_piece(record, TICKETS, WEIGHT)
    assert not record.is_refused
    for _ in range(600):
        record = add_piece(record, TICKETS, WEIGHT)
    assert record.is_refused


def test_more_shares_do_no_harm() -> None:
    record = PieceRecord()
    for _ in range(100):
        record = add_piece(add_share(add_share(record, WEIGHT), WEIGHT), TICKETS, WEIGHT)
    assert not record.is_refused
