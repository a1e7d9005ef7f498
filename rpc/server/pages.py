"""The explorer's files: static pages under /explorer/ that send requests to this node only."""

from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

FOLDER: Final = "explorer"
TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def load_pages() -> dict[str, tuple[bytes, str]]:
    """Return content and type of every file by its name in /explorer/; they are read once."""
    found: dict[str, tuple[bytes, str]] = {}
    for folder, prefix in ((files("inos.rpc") / FOLDER, ""), (files("inos.rpc") / FOLDER / "pages", "pages/")):
        for file in folder.iterdir():
            kind = TYPES.get("." + file.name.rpartition(".")[2])
            if kind is not None and file.is_file():
                found[prefix + file.name] = (file.read_bytes(), kind)
    return found


def answer_page(name: str) -> web.Response:
    """Answer with a file by its name, or with 404. The name is never used as a path on disk."""
    page = load_pages().get(name or "index.html")
    if page is None:
        return web.Response(status=404, text="the explorer has no such file\n", headers=HEADERS)
    body, kind = page
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)
