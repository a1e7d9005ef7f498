"""QR codes of addresses, and of nothing else."""

import pytest

from inos.primitives.units import Address
from inos.rpc.server.pages import answer_page
from inos.rpc.server.qr import draw_address, find_address
from inos.wallet.addresses import encode_address

ADDRESS = encode_address("dinos", Address(b"\x07" * 20))


def test_an_address_is_drawn() -> None:
    assert find_address(f"qr/{ADDRESS}.svg") == ADDRESS
    drawn = draw_address(ADDRESS)
    assert drawn.startswith(b"<svg ")
    assert b"script" not in drawn
    assert draw_address(ADDRESS) is draw_address(ADDRESS)
    other = encode_address("dinos", Address(b"\x08" * 20))
    assert draw_address(other) != draw_address(ADDRESS)


@pytest.mark.parametrize(
    "name",
    [
        "qr/.svg",
        f"qr/{ADDRESS}",
        f"qr/{ADDRESS[:-1]}x.svg",
        f"qr/{ADDRESS}<script>.svg",
        "qr/" + "q" * 10_000 + ".svg",
        f"qr/../{ADDRESS}.svg",
        f"{ADDRESS}.svg",
    ],
)
def test_nothing_else_is_drawn(name: str) -> None:
    assert find_address(name) is None
    assert answer_page(name).status == 404


def test_capitals_are_the_same_address() -> None:
    assert find_address(f"qr/{ADDRESS.upper()}.svg") == ADDRESS
