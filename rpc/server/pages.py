"""The explorer's files: static pages under /explorer/ that send requests to this node only."""

from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

from inos.wallet.phrase import list_words
from inos.work.backends.wasm import load_module

FOLDER: Final = "explorer"
WORK: Final = "work/"
"""The page of this folder works for the node: it runs a module of WebAssembly in Web Workers."""
TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wgsl": "text/plain",
    ".wasm": "application/wasm",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'%s; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'%s"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY % ("", ""),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
WORK_HEADERS: Final = HEADERS | {"Content-Security-Policy": POLICY % (" 'wasm-unsafe-eval'", "; worker-src 'self'")}
"""A Web Worker is under the policy of its own script's response, so all files of the folder have these."""


@cache
def load_pages() -> dict[str, tuple[bytes, str]]:
    """Return content and type of every file by its name in /explorer/; they are read once."""
    explorer = files("inos.rpc") / FOLDER
    found: dict[str, tuple[bytes, str]] = {}
    for prefix in ("", "pages/", WORK):
        for file in (explorer / prefix).iterdir():
            if file.is_file() and (kind := _find_type(file.name)):
                found[prefix + file.name] = (file.read_bytes(), kind)
    for name, data in (
        ("kernel.wasm", load_module()),
        ("kernel.wgsl", (files("inos.work.backends") / "webgpu" / "kernel.wgsl").read_bytes()),
        ("words.txt", "\n".join(list_words()).encode("ascii")),
    ):
        found[WORK + name] = (data, TYPES[f".{name.rpartition('.')[2]}"])
    return found


def _find_type(name: str) -> str | None:
    return TYPES.get(f".{name.rpartition('.')[2]}")


def answer_page(name: str) -> web.Response:
    """Answer with a file by its name, or with 404. The name is never used as a path on disk."""
    page = load_pages().get(f"{name}index.html" if name in ("", WORK) else name)
    headers = WORK_HEADERS if name.startswith(WORK) else HEADERS
    if page is None:
        return web.Response(status=404, text="the explorer has no such file\n", headers=headers)
    body, kind = page
    # A browser compiles a module while it arrives only if its type has no charset.
    charset = "utf-8" if kind.startswith(("text/", "image/svg")) else None
    return web.Response(body=body, content_type=kind, charset=charset, headers=headers)
