"""Tests the division of an amount: no nano is lost, and members compute the same."""

from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.units import Address
from inos.workers.pool.split import (
    Part,
    compute_credit,
    divide,
    divide_fee,
    find_amount,
    iterate_parts,
    pack_parts,
    recompute_earned,
)

addresses = st.binary(min_size=20, max_size=20).map(Address)
windows = st.dictionaries(addresses, st.integers(1, 2**40), max_size=20)
amounts = st.integers(0, 2**63)
fees = st.integers(0, 1_000_000)


@given(amounts, fees, windows)
def test_parts_and_what_is_kept_add_up(amount: int, fee_ppm: int, window: dict[Address, int]) -> None:
    parts = [Part(*each) for each in window.items()]
    division = divide(amount, fee_ppm, parts)
    assert sum(part.amount for part in division.parts) + division.kept == amount
    assert division.kept >= amount * fee_ppm // 1_000_000
    if parts:
        assert division.kept < amount * fee_ppm // 1_000_000 + len(parts)
    whole = sum(window.values())
    for part in division.parts:
        mine = recompute_earned(part.address, [(amount, fee_ppm, window)])
        assert part.amount == mine == compute_credit(amount, fee_ppm, window[part.address], whole)


@given(amounts, fees, windows.filter(bool), st.integers(0, 2**45))
def test_the_pool_keeps_what_others_delivered(amount: int, fee_ppm: int, window: dict[Address, int], more: int) -> None:
    whole = sum(window.values()) + more
    division = divide(amount, fee_ppm, [Part(*each) for each in window.items()], whole)
    after_fee = amount - amount * fee_ppm // 1_000_000
    assert [part.amount for part in division.parts] == [after_fee * each // whole for each in window.values()]
    assert sum(part.amount for part in division.parts) + division.kept == amount


@given(st.integers(0, 2**50), st.dictionaries(addresses, st.integers(1, 2**50), min_size=1, max_size=20))
def test_a_fee_is_divided_to_the_nano(fee: int, window: dict[Address, int]) -> None:
    parts = [Part(*each) for each in window.items()]
    shares = divide_fee(fee, parts)
    assert sum(share.amount for share in shares) == fee
    assert [share.address for share in shares] == [part.address for part in parts]
    whole = sum(window.values())
    assert all(
        abs(share.amount - fee * part.amount // whole) <= len(parts) for share, part in zip(shares, parts, strict=True)
    )


@given(windows)
def test_parts_are_packed_and_read(window: dict[Address, int]) -> None:
    assert list(iterate_parts(pack_parts(Part(*each) for each in window.items()))) == sorted(window.items())


def test_an_empty_window_leaves_all_to_the_pool() -> None:
    assert divide(10, 0, []) == ([], 10)
    assert recompute_earned(Address(bytes(20)), [(10, 0, {})]) == 0


@given(windows, addresses)
def test_one_address_is_found_among_packed_parts(window: dict[Address, int], other: Address) -> None:
    packed = pack_parts(Part(*each) for each in window.items())
    assert all(find_amount(packed, address) == amount for address, amount in window.items())
    assert find_amount(packed, other) == window.get(other, 0)
