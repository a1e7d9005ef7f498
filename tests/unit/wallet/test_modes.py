"""Tests the choice of a job's mode: the cheaper one that is possible, and the reason."""

import pytest
from msgspec.structs import replace

from inos.genesis import load_network
from inos.primitives.transactions import JobMode
from inos.primitives.units import Height, Nano, Tickets
from inos.wallet.errors import WalletError
from inos.wallet.modes import ModeChoice, choose_mode

PARAMS = load_network("devnet").params
CREDIT = 10**9


def choose(side: int = 512, *, reward: int = CREDIT, jurors: int = 2, wanted: JobMode | None = None) -> ModeChoice:
    return choose_mode(
        PARAMS,
        Height(1),
        Tickets(20_000),
        rows_x=side,
        rows_w=side,
        depth=1024,
        reward=reward,
        jurors=jurors,
        wanted=wanted,
    )


def test_the_mode_that_burns_less() -> None:
    choice, checked = choose(), choose(wanted=JobMode.CHECKED)
    assert choice.mode is JobMode.OPTIMISTIC
    assert (choice.price.work, choice.price.bytes) == (
        320_000_000,
        0,
    )  # 1024 of 20,000 tickets, an eighth of 50 credits
    assert checked.price.total - choice.price.total == checked.price.bytes == 195_312_500
    assert "would burn 0.1953125 credits more" in choice.reason
    assert checked.reason == "as asked for"


def test_without_bytes_to_pay_for_every_node_checks() -> None:
    free = replace(PARAMS, byte_burn_per_mille=0)
    choice = choose_mode(free, Height(1), Tickets(20_000), rows_x=16, rows_w=16, depth=16, reward=CREDIT, jurors=2)
    assert (choice.mode, choice.reason) == (JobMode.CHECKED, "a check by every node burns nothing more")


@pytest.mark.parametrize(("changes", "why"), [({"jurors": 1}, "2 voters"), ({"reward": 201 * CREDIT}, "its bond")])
def test_what_no_jury_can_judge_is_checked(changes: dict[str, int], why: str) -> None:
    choice = choose(**changes)  # type: ignore[arg-type]
    assert choice.mode is JobMode.CHECKED
    assert why in choice.reason


def test_what_is_too_large_to_check_is_optimistic() -> None:
    choice = choose(4096)
    assert choice.mode is JobMode.OPTIMISTIC
    assert "a checked job at most 33,554,432" in choice.reason


def test_what_no_mode_allows() -> None:
    for error, changes in (("no-jury", {"jurors": 1}), ("bond-too-large", {"reward": 201 * CREDIT})):
        with pytest.raises(WalletError) as caught:
            choose(4096, **changes)  # type: ignore[arg-type]
        assert caught.value.code == error
    with pytest.raises(WalletError) as caught:
        choose(4096, wanted=JobMode.CHECKED)
    assert caught.value.code == "job-too-large"
    assert choose(4096, jurors=0, wanted=JobMode.OPTIMISTIC).mode is JobMode.OPTIMISTIC  # it may wait for voters
    assert Nano(choose(4096).price.bytes) == 0
