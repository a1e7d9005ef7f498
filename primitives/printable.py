"""Makes text of files and of other nodes safe to show on a terminal."""

import re
from typing import Final

UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def make_printable(text: str) -> str:
    """Escape what no terminal should be sent: control characters, changes of the writing direction, and surrogates.

    Files and nodes of others may hold them. Lines and tabs stay; the escapes are those of JSON.
    """
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
