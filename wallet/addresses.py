"""Addresses as text: bech32m of the 20 bytes under the network's prefix, e.g. dinos1..."""

from typing import Final

from inos.primitives import bech32m
from inos.primitives.units import ADDRESS_BYTES, Address
from inos.wallet.errors import WalletError

KNOWN_PREFIXES: Final = {"inos": "the main network", "tinos": "testnet", "dinos": "devnet"}
"""These are used in messages only: a network's own prefix comes from its genesis file."""


def encode_address(hrp: str, address: Address) -> str:
    """Return the text of an address (20 bytes) under the network's prefix `hrp`."""
    return bech32m.encode(hrp, address)


def decode_address(hrp: str, text: str) -> Address:
    """Return the 20 bytes of an address of the network whose prefix is `hrp`.

    Raises:
        WalletError: "bad-checksum" for a mistyped one, "other-network" for one of another network,
            "not-an-address" for anything else.
    """
    text = text.strip()
    try:
        prefix, data = bech32m.decode(text)
    except bech32m.ChecksumError as error:
        raise WalletError(
            "bad-checksum", f"{text} is mistyped: its checksum does not match", hint="copy the address again"
        ) from error
    except bech32m.Bech32mError as error:
        raise _not_an_address(hrp, text, str(error)) from error
    if prefix != hrp:
        other = KNOWN_PREFIXES.get(prefix, f"a network with the prefix {prefix!r}")
        here = KNOWN_PREFIXES.get(hrp)
        raise WalletError(
            "other-network",
            f"{text} is an address of {other}, not of this network{f' ({here})' if here else ''}",
            hint=f"addresses here begin with {hrp}1",
        )
    if len(data) != ADDRESS_BYTES:
        raise _not_an_address(hrp, text, f"it holds {len(data)} bytes instead of {ADDRESS_BYTES}")
    return Address(data)


def _not_an_address(hrp: str, text: str, reason: str) -> WalletError:
    shown = text if len(text) <= bech32m.MAX_LENGTH else text[:20] + "..."
    return WalletError(
        "not-an-address", f"{shown!r} is not an address: {reason}", hint=f"addresses here look like {hrp}1..."
    )
