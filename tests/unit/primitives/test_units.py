"""Amounts are read and written without loss, and invalid ones are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.units import format_credits, parse_credits


@given(st.integers(0, 2**64 - 1))
def test_credits_survive_writing_and_reading(amount: int) -> None:
    assert parse_credits(format_credits(amount)) == amount


@pytest.mark.parametrize(
    ("text", "nano"), [("1.5", 1_500_000_000), ("0", 0), ("0.000000001", 1), ("18446744073.709551615", 2**64 - 1)]
)
def test_examples(text: str, nano: int) -> None:
    assert parse_credits(text) == nano
    assert format_credits(nano) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1.",
        ".5",
        "1e3",
        "0.0000000001",
        "1,5",
        "nan",
        "18446744073.709551616",
        "\N{ARABIC-INDIC DIGIT THREE}",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="credits"):
        parse_credits(text)
