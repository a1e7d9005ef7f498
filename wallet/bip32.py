"""BIP-32: private keys derived along a path, by private parents only.

Ours because the one light library pins an old libsecp256k1 binding that has no wheels for newer Pythons;
checked against BIP-32's vectors. Wallets here never hand out extended keys, so there is no more to it.
"""

import hmac
from typing import Final

from coincurve import PrivateKey

HARDENED: Final = 2**31
MIN_SEED_BYTES: Final = 16
MAX_SEED_BYTES: Final = 64


def parse_path(path: str) -> tuple[int, ...]:
    """The child numbers of a path such as m/86'/1'/0'/0/7; an apostrophe or h marks a hardened one.

    Raises:
        ValueError: not such a path, or a number outside 0 .. 2^31 - 1.
    """
    first, *parts = path.split("/")
    if first != "m":
        raise ValueError(f"the path {path!r} does not begin with m")
    return tuple(_parse_child(part, path) for part in parts)


def derive_secret(seed: bytes, path: str) -> bytes:
    """The 32-byte secret at `path` below a seed of 16 to 64 bytes.

    Source: BIP-32, "Master key generation" and "Private parent key to private child key".

    Raises:
        ValueError: a bad path or seed; or, with probability under 2^-127, a child that has no valid key.
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
