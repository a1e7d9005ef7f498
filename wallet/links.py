"""Pay links: `inos:ADDRESS?amount=1.5&message=Invoice%207`, which a merchant shows and a wallet reads."""

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from msgspec import Struct

from inos.primitives.units import Address, Nano, format_credits, parse_credits
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError

SCHEME: Final = "inos:"
MAX_LINK: Final = 2048
MAX_MESSAGE: Final = 200


class PayLink(Struct, frozen=True):
    """What a link asks for.

    Args:
        amount: in nano; None if the payer chooses it.
        message: text for the payer; it does not go on the chain.
    """

    address: Address
    amount: Nano | None = None
    message: str = ""


def make_pay_link(hrp: str, link: PayLink) -> str:
    """Return the text of a link.

    Raises:
        WalletError: "bad-link" if the amount is not above 0, or the message is too long.
    """
    if (link.amount is not None and link.amount < 1) or len(link.message) > MAX_MESSAGE:
        raise _explain(f"it asks for more than 0 credits, with a message of at most {MAX_MESSAGE} characters")
    asked = {} if link.amount is None else {"amount": format_credits(link.amount)}
    asked |= {"message": link.message} if link.message else {}
    query = f"?{urlencode(asked, quote_via=quote)}" if asked else ""
    return f"{SCHEME}{encode_address(hrp, link.address)}{query}"


def read_pay_link(hrp: str, text: str) -> PayLink:
    """Return what a link asks for.

    Raises:
        WalletError: "bad-link" if it has another form, an unknown or repeated part, or an amount that is none; as
            `decode_address` for its address.
    """
    if len(text) > MAX_LINK or not text.lower().startswith(SCHEME):
        raise _explain(f"it begins with {SCHEME} and has at most {MAX_LINK} characters")
    address, _, query = text[len(SCHEME) :].partition("?")
    try:
        parts = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=8)
    except ValueError as error:
        raise _explain("what follows the question mark cannot be read") from error
    asked = dict(parts)
    if len(asked) != len(parts) or asked.keys() - {"amount", "message"}:
        raise _explain("after the address come an amount and a message at most, each once")
    message = asked.get("message", "")
    if len(message) > MAX_MESSAGE or not message.isprintable():
        raise _explain(f"its message has more than {MAX_MESSAGE} characters, or some that cannot be shown")
    return PayLink(decode_address(hrp, address), _read_amount(asked.get("amount")), message)


def is_pay_link(text: str) -> bool:
    return text.lower().startswith(SCHEME)


def _read_amount(text: str | None) -> Nano | None:
    if text is None:
        return None
    try:
        amount = parse_credits(text)
    except ValueError as error:
        raise _explain(f"its amount {text[:40]!a} is no number of credits") from error
    if amount < 1:
        raise _explain("its amount is not above 0")
    return amount


def _explain(reason: str) -> WalletError:
    return WalletError(
        "bad-link", f"this is no pay link: {reason}", hint="links look like inos:ADDRESS?amount=1.5&message=Invoice"
    )
