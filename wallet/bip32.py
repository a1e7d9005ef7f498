"""BIP-32: the derivation of private keys along a path, from private parents only.

No library is used: the one light library pins an old libsecp256k1 binding that has no wheels for newer Pythons.
Tests check it against BIP-32's vectors. Wallets never export extended keys, so no more of BIP-32 is needed.
"""

import hmac
from typing import Final

from coincurve import PrivateKey

HARDENED: Final = 2**31
MIN_SEED_BYTES: Final = 16
MAX_SEED_BYTES: Final = 64


def parse_path(path: str) -> tuple[int, ...]:
    """Return the child numbers of a path such as m/86'/1'/0'/0/7; an apostrophe or h marks a hardened one.

    Raises:
        ValueError: it is no such path, or has a number outside 0 .. 2^31 - 1.
    """
    first, *parts = path.split("/")
    if first != "m":
        raise ValueError(f"the path {path!r} does not begin with m")
    return tuple(_parse_child(part, path) for part in parts)


def derive_secret(seed: bytes, path: str) -> bytes:
    """Return the 32-byte secret at `path` below a seed of 16 to 64 bytes.

    Source: BIP-32, "Master key generation" and "Private parent key to private child key".

    Raises:
        ValueError: the path or seed is bad; or, with probability under 2^-127, the child has no valid key.
    """
    if not MIN_SEED_BYTES <= len(seed) <= MAX_SEED_BYTES:
        raise ValueError(f"a seed has {MIN_SEED_BYTES} to {MAX_SEED_BYTES} bytes, not {len(seed)}")
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    key, chain_code = PrivateKey(digest[:32]), digest[32:]
    for child in parse_path(path):
        parent = b"\0" + key.secret if child >= HARDENED else key.public_key.format(compressed=True)
        digest = hmac.digest(chain_code, parent + child.to_bytes(4, "big"), "sha512")
        key, chain_code = key.add(digest[:32]), digest[32:]
    return bytes(key.secret)


def _parse_child(part: str, path: str) -> int:
    is_hardened = part[-1:] in ("'", "h")
    digits = part[:-1] if is_hardened else part
    if not (digits.isascii() and digits.isdecimal()) or int(digits) >= HARDENED:
        raise ValueError(f"{part!r} in the path {path!r} is not a number from 0 to {HARDENED - 1}")
    return int(digits) + (HARDENED if is_hardened else 0)
