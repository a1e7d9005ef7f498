"""QR codes of addresses for the explorer: the node draws them, so that the page needs no library."""

import io
from functools import lru_cache
from typing import Final

from inos.primitives import bech32m
from inos.primitives.units import ADDRESS_BYTES

FOLDER: Final = "qr/"
SUFFIX: Final = ".svg"
KEPT: Final = 256
CODES_PER_S: Final = 10.0
"""So many codes are drawn per second; one takes 4 ms of the event loop."""
CODES_BURST: Final = 20.0


def find_address(name: str) -> str | None:
    """Return the address of a file name such as qr/inos1....svg, or None for another name. Nothing else is drawn."""
    if not (name.startswith(FOLDER) and name.endswith(SUFFIX)):
        return None
    text = name[len(FOLDER) : -len(SUFFIX)]
    try:
        _, data = bech32m.decode(text)
    except bech32m.Bech32mError:
        return None
    return text.lower() if len(data) == ADDRESS_BYTES else None


@lru_cache(KEPT)
def draw_address(address: str) -> bytes:
    """Return the SVG of an address; it takes some milliseconds, and the last ones are kept."""
    import segno  # Nodes without an explorer do not need it.

    drawn = io.BytesIO()
    code = segno.make(address.upper(), error="m", micro=False)  # Upper case takes fewer modules.
    code.save(drawn, kind="svg", border=2, dark="#000", light="#fff", xmldecl=False, svgclass=None, lineclass=None)
    return drawn.getvalue()
