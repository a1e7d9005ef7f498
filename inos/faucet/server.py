"""The faucet's web page, which works without scripts, and the same as JSON for programs."""

import asyncio
import html
import json
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec import to_builtins

from inos.faucet.faucet import Claim, Faucet
from inos.primitives.errors import InosError

log: Final = structlog.get_logger("faucet")

FAUCET: Final = web.AppKey("faucet", Faucet)
IS_PROXIED: Final = web.AppKey("is_proxied", bool)
MAX_BODY: Final = 4096
STEP_S: Final = 2.0
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Faucet of {network}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
main {{ max-width: 34rem; margin: 4rem auto; padding: 0 1rem }}
input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem }}
button {{ font: inherit; margin-top: .8rem; padding: .6rem 1.2rem }}
output {{ display: block; margin-top: 1.2rem; overflow-wrap: anywhere }}
</style>
<main>
<h1>Credits for testing</h1>
<p>This page gives {credits} credits of the network {network} to an address, once a day. They have no value
elsewhere.</p>
<form method="post" action="claim">
<label for="address">Your address, as <code>inos wallet address</code> prints it</label>
<input id="address" name="address" required maxlength="100" autocomplete="off" spellcheck="false" value="{address}">
<button>Get {credits} credits</button>
</form>
<output role="status">{said}</output>
</main>
</html>
"""


def make_app(faucet: Faucet, network: str, credits: str, *, is_proxied: bool) -> web.Application:
    """Return the web application.

    Args:
        is_proxied: a proxy in front names the client in X-Forwarded-For; without one anybody could write that header.
    """

    def draw(said: str, address: str = "", status: int = 200) -> web.Response:
        shown = {"network": network, "credits": credits, "address": html.escape(address), "said": html.escape(said)}
        return web.Response(text=_PAGE.format(**shown), content_type="text/html", status=status, headers=HEADERS)

    async def handle_page(_: web.Request) -> web.Response:
        return draw("")

    async def handle_claim(request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        try:
            address = await _read_address(request, is_json=is_json)
        except ValueError:
            text = "send an address"
            return _answer({"error": {"code": "bad-request", "message": text}}, 400) if is_json else draw(text, "", 400)
        try:
            claim = await faucet.claim(address, _find_host(request, is_proxied=is_proxied))
        except InosError as error:
            status = 429 if error.code in ("already-given", "too-many-here", "nothing-left") else 400
            if is_json:
                shown = {"code": error.code, "message": error.message, "hint": error.hint}
                return _answer({"error": shown}, status)
            return draw(str(error), address, status)
        if is_json:
            return _answer(to_builtins(claim), 202)
        return draw(describe(claim), address, 202)

    async def handle_find(request: web.Request) -> web.Response:
        try:
            return _answer(to_builtins(faucet.find(request.match_info["address"])), 200)
        except InosError as error:
            return _answer({"error": {"code": error.code, "message": error.message, "hint": error.hint}}, 404)

    app = web.Application(client_max_size=MAX_BODY)
    app[FAUCET], app[IS_PROXIED] = faucet, is_proxied
    app.router.add_get("/", handle_page)
    app.router.add_post("/claim", handle_claim)
    app.router.add_get("/claims/{address}", handle_find)
    return app


def describe(claim: Claim) -> str:
    """Return what a claim says to a person."""
    return f"{claim.credits} credits are on their way to {claim.address}; a block has them within a minute or so."


async def pay_forever(faucet: Faucet) -> None:
    """Pay claims until cancelled; what fails is tried again."""
    while True:
        try:
            await faucet.step()
        except InosError as error:
            log.warning("payout not made, and tried again", code=error.code, error=error.message)
        await asyncio.sleep(STEP_S)


async def _read_address(request: web.Request, *, is_json: bool) -> str:
    """Return the address of a claim; ValueError if the body has none."""
    try:
        found: Any = json.loads(await request.text()) if is_json else await request.post()
        address = found["address"]
    except (KeyError, TypeError, UnicodeDecodeError, RecursionError, web.HTTPRequestEntityTooLarge) as error:
        raise ValueError("the body has no address") from error
    if not isinstance(address, str):
        raise ValueError("the address is no text")
    return address.strip()


def _find_host(request: web.Request, *, is_proxied: bool) -> str:
    if is_proxied and (named := request.headers.get("X-Forwarded-For")):
        return named.split(",")[-1].strip()  # The last one is the proxy's own word.
    return request.remote or ""


def _answer(body: Any, status: int) -> web.Response:
    return web.json_response(body, status=status, headers=HEADERS)
