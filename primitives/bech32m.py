"""Bech32m (BIP-350): text with a human-readable part and a checksum that finds up to four mistakes.

No library is used: one that exists loads a prebuilt native library for it,
another imports modules that newer Pythons removed. The tests use BIP-350's own vectors.
"""

from collections.abc import Iterable
from typing import Final

CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHECKSUM_SYMBOLS: Final = 6
MAX_LENGTH: Final = 90
_CONSTANT: Final = 0x2BC830A3
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class Bech32mError(ValueError):
    """The text is not well-formed bech32m; the message says why."""


class ChecksumError(Bech32mError):
    """The text is well-formed, but its checksum is wrong."""


def encode(hrp: str, data: bytes) -> str:
    """Return the text of `data` under the human-readable part `hrp` (lower case)."""
    return encode_symbols(hrp, _regroup(data, 8, 5))


def decode(text: str) -> tuple[str, bytes]:
    """Return the human-readable part, in lower case, and the bytes.

    Raises:
        Bech32mError: mixed case, a character that is not allowed there, a wrong length, or bits left over.
        ChecksumError: a character is wrong or missing somewhere.
    """
    hrp, symbols = decode_symbols(text)
    return hrp, bytes(_regroup(symbols, 5, 8))


def encode_symbols(hrp: str, symbols: list[int]) -> str:
    """Return the text of 5-bit symbols, with the checksum appended."""
    remainder = _compute_polymod([*_expand(hrp), *symbols, *[0] * CHECKSUM_SYMBOLS]) ^ _CONSTANT
    checksum = [remainder >> 5 * (CHECKSUM_SYMBOLS - 1 - i) & 31 for i in range(CHECKSUM_SYMBOLS)]
    return f"{hrp}1{''.join(CHARSET[s] for s in [*symbols, *checksum])}"


def decode_symbols(text: str) -> tuple[str, list[int]]:
    """Return the human-readable part and the 5-bit symbols, without the checksum. It raises as `decode` does."""
    if text != text.lower() and text != text.upper():
        raise Bech32mError("upper and lower case are mixed")
    if len(text) > MAX_LENGTH:
        raise Bech32mError(f"it is {len(text)} characters long, at most {MAX_LENGTH} are allowed")
    hrp, separator, rest = text.lower().rpartition("1")
    if not separator or not hrp or len(rest) < CHECKSUM_SYMBOLS:
        raise Bech32mError("it has no prefix, or too little after the prefix's 1")
    if wrong := next((c for c in hrp if not 33 <= ord(c) <= 126), None) or next(
        (c for c in rest if c not in CHARSET), None
    ):
        raise Bech32mError(f"the character {wrong!r} is not allowed in it")
    symbols = [CHARSET.index(c) for c in rest]
    if _compute_polymod([*_expand(hrp), *symbols]) != _CONSTANT:
        raise ChecksumError("the checksum does not match")
    return hrp, symbols[:-CHECKSUM_SYMBOLS]


def _compute_polymod(values: Iterable[int]) -> int:
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            remainder ^= factor if top >> bit & 1 else 0
    return remainder


def _expand(hrp: str) -> list[int]:
    return [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]


def _regroup(values: Iterable[int], width: int, wanted: int) -> list[int]:
    """Regroup bits. From 8 to 5 the last group is padded with zeros; from 5 to 8 such padding is removed."""
    bits = "".join(f"{value:0{width}b}" for value in values)
    whole = len(bits) // wanted * wanted
    rest = bits[whole:]
    groups = [int(bits[i : i + wanted], 2) for i in range(0, whole, wanted)]
    if wanted < width:
        return [*groups, int(rest.ljust(wanted, "0"), 2)] if rest else groups
    if len(rest) >= width or "1" in rest:
        raise Bech32mError("bits are left over at its end")
    return groups
