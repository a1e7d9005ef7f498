"""BIP-39 recovery phrases: 12 or 24 English words, from which the whole wallet can be restored."""

import secrets
import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from mnemonic import Mnemonic

from inos.wallet.errors import WalletError

WORD_COUNTS: Final = (12, 24)
_ENTROPY_BYTES: Final = {12: 16, 24: 32}
"""BIP-39 has 128 or 256 bits of entropy."""


@lru_cache(maxsize=1)
def _words() -> Mnemonic:
    return Mnemonic("english")


def make_phrase(words: int = 24, entropy: bytes | None = None) -> str:
    """Return a fresh phrase of 12 or 24 words; `entropy` (16 or 32 bytes) replaces the system's randomness.

    Raises:
        WalletError: "bad-phrase" for another number of words.
    """
    if words not in WORD_COUNTS:
        raise WalletError("bad-phrase", f"a phrase has 12 or 24 words, not {words}")
    entropy = secrets.token_bytes(_ENTROPY_BYTES[words]) if entropy is None else entropy
    if len(entropy) != _ENTROPY_BYTES[words]:
        raise WalletError("bad-phrase", f"{words} words need {_ENTROPY_BYTES[words]} bytes of entropy")
    return str(_words().to_mnemonic(entropy))


def list_words() -> tuple[str, ...]:
    """Return BIP-39's 2048 English words, in order."""
    return tuple(_words().wordlist)


def check_phrase(text: str) -> str:
    """Return the phrase with single spaces and in lower case, after it was checked.

    Raises:
        WalletError: "bad-phrase", naming the count, the word and its place, or the checksum.
            The phrase itself is never repeated in the message.
    """
    words = unicodedata.normalize("NFKD", text).lower().split()
    if len(words) not in WORD_COUNTS:
        raise WalletError("bad-phrase", f"a recovery phrase has 12 or 24 words, this has {len(words)}")
    known = _words().wordlist
    for place, word in enumerate(words, start=1):
        if word not in known:
            close = get_close_matches(word, known, n=3)
            raise WalletError(
                "bad-phrase",
                f"word {place}, {word!r}, is not in the list of words",
                hint=f"did you mean {' or '.join(close)}?" if close else "check the spelling of that word",
            )
    if not _words().check(" ".join(words)):
        raise WalletError(
            "bad-phrase",
            "all words are known, but the phrase's checksum does not match",
            hint="a word is wrong, or two are swapped",
        )
    return " ".join(words)


def compute_seed(phrase: str, passphrase: str = "") -> bytes:
    """Return the 64-byte BIP-39 seed (PBKDF2-HMAC-SHA512, 2048 rounds). Another passphrase gives another wallet."""
    return bytes(Mnemonic.to_seed(check_phrase(phrase), passphrase))
