"""The explorer's files: static pages under /explorer/ that ask this node and nobody else."""

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
    """Content and type of every file by its name in /explorer/; read once."""
    found: dict[str, tuple[bytes, str]] = {}
    for folder, prefix in ((files("inos.rpc") / FOLDER, ""), (files("inos.rpc") / FOLDER / "pages", "pages/")):
        for file in folder.iterdir():
            kind = TYPES.get("." + file.name.rpartition(".")[2])
            if kind is not None and file.is_file():
                found[prefix + file.name] = (file.read_bytes(), kind)
    return found


def answer_page(name: str) -> web.Response:
    """The file, index.html for the bare folder; 404 for anything else: no path is ever looked up on disk."""
    page = load_pages().get(name or "index.html")
    if page is None:
        return web.Response(status=404, text="the explorer has no such file\n", headers=HEADERS)
    body, kind = page
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)
