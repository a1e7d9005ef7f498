"""QR codes for a terminal."""

import io


def draw_qr(text: str) -> str:
    """Return a QR code of half-block characters, which phones read on dark and light terminals."""
    import segno  # It takes 30 ms, and few commands need it.

    drawn = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(drawn, compact=True, border=2)
    return drawn.getvalue().rstrip("\n")
