"""Pay links: what is made is read again, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.units import U64_MAX, Address, Nano
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError
from inos.wallet.links import MAX_MESSAGE, PayLink, is_pay_link, make_pay_link, read_pay_link

ADDRESS = Address(b"\x07" * 20)
TEXT = encode_address("dinos", ADDRESS)


@given(
    amount=st.none() | st.integers(1, U64_MAX).map(Nano),
    message=st.text(max_size=MAX_MESSAGE).filter(str.isprintable),
)
def test_links_are_read_as_they_were_made(amount: Nano | None, message: str) -> None:
    link = PayLink(ADDRESS, amount, message)
    text = make_pay_link("dinos", link)
    assert is_pay_link(text)
    assert read_pay_link("dinos", text) == link


def test_links_look_like_this() -> None:
    assert make_pay_link("dinos", PayLink(ADDRESS)) == f"inos:{TEXT}"
    full = make_pay_link("dinos", PayLink(ADDRESS, Nano(1_500_000_000), "Invoice 7 & more"))
    assert full == f"inos:{TEXT}?amount=1.5&message=Invoice%207%20%26%20more"
    assert read_pay_link("dinos", f"INOS:{TEXT.upper()}").address == ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT,
        f"bitcoin:{TEXT}",
        f"inos:{TEXT}?amount",
        f"inos:{TEXT}?amount=",
        f"inos:{TEXT}?amount=0",
        f"inos:{TEXT}?amount=-1",
        f"inos:{TEXT}?amount=1e3",
        f"inos:{TEXT}?amount=0.0000000001",
        f"inos:{TEXT}?amount=1&amount=2",
        f"inos:{TEXT}?amount=1&to=someone",
        f"inos:{TEXT}?message=%1b[2J",
        f"inos:{TEXT}?message=%ff",
        f"inos:{TEXT}?message={'x' * (MAX_MESSAGE + 1)}",
        f"inos:{TEXT}?{'&' * 3000}",
        f"inos:{TEXT[:-1]}q?amount=1",
        f"inos:{encode_address('tinos', ADDRESS)}?amount=1",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(WalletError):
        read_pay_link("dinos", text)


@pytest.mark.parametrize("link", [PayLink(ADDRESS, Nano(0)), PayLink(ADDRESS, None, "x" * (MAX_MESSAGE + 1))])
def test_what_cannot_be_asked_for(link: PayLink) -> None:
    with pytest.raises(WalletError):
        make_pay_link("dinos", link)
