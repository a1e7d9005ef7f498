"""Test the key that the page makes: it is that of the wallet, and the browser keeps it under a password."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.primitives import bech32m
from inos.wallet.keys import derive_key
from inos.wallet.phrase import make_phrase
from support.browser import Page, find_chromium
from support.page_node import HRP, PageNode
from support.work_page import PAYEE, STATE, click, fill, open_page

PASSWORD = "ten letters"
CHROMIUM = find_chromium()

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(180),
]

COMPUTE_ADDRESS = """
(async (entropy) => {
  const { makePhrase, computeAddress } = await import("/explorer/work/key.js");
  const { toHex } = await import("/explorer/bytes.js");
  const phrase = await makePhrase(Uint8Array.from(entropy));
  return [phrase, toHex(await computeAddress(phrase))];
})(%s)
"""
CODE_ADDRESSES = """
(async ([hrp, hex, texts]) => {
  const { decodeAddress, encodeAddress } = await import("/explorer/work/address.js");
  const { fromHex, toHex } = await import("/explorer/bytes.js");
  const read = (text) => { try { return toHex(decodeAddress(hrp, text)); } catch (error) { return error.message; } };
  return [encodeAddress(hrp, fromHex(hex)), texts.map(read)];
})(%s)
"""


async def test_a_key_of_the_page_is_that_of_the_wallet(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    async with open_page(tmp_path) as (node, page):
        for _ in range(4):
            entropy = rng.bytes(16)
            phrase, address = await page.run(COMPUTE_ADDRESS % list(entropy))
            assert phrase == make_phrase(12, entropy)
            assert address == derive_key(phrase).address.hex()
        await check_addresses(page)
        await fill(page, "password", "short")
        await click(page, "make-key")
        await page.wait("document.getElementById('key').textContent.includes('at least 10 characters')")
        await fill(page, "password", PASSWORD)
        await click(page, "make-key")
        await page.wait("document.querySelectorAll('.words li').length === 12")
        words = await page.run("[...document.querySelectorAll('.words li')].map((one) => one.textContent).join(' ')")
        own = bech32m.encode(HRP, derive_key(words).address)
        assert await page.run("document.getElementById('address').value") == own
        stored = await page.run("JSON.stringify(localStorage)")
        assert not any(f'"{word}' in stored or f" {word} " in stored for word in words.split())
        await reopen_key(page, node, words, own)


async def reopen_key(page: Page, node: PageNode, words: str, own: str) -> None:
    """The key is still there after the page was loaded again; its words need the password."""
    await page.open("about:blank")
    await page.open(f"{node.url}/explorer/work/")
    await page.wait(f"{STATE} === 'ready'")
    assert await page.run("document.getElementById('address').value") == own
    assert await page.run("document.querySelectorAll('.words li').length") == 0
    for password, found in (("wrong password", "the password is wrong"), (PASSWORD, words.split()[0])):
        await fill(page, "open-password", password)
        await page.run("document.getElementById('open-password').form.requestSubmit()")
        await page.wait(f"document.getElementById('key').textContent.includes({found!r})")
    await page.run("window.confirm = () => true")
    await click(page, "forget-key")
    await page.wait("document.getElementById('make-key')")
    assert await page.run("localStorage.getItem('work-key')") is None


async def check_addresses(page: Page) -> None:
    """The page reads addresses as the node does, and says what is wrong with others."""
    right = bech32m.encode(HRP, PAYEE)
    wrong = {
        right[:-1] + ("q" if right[-1] != "q" else "p"): "checksum",
        bech32m.encode("inosx", PAYEE): "another network",
        bech32m.encode(HRP, bytes(19)): "20 bytes",
        right.replace("1", "1b", 1): "not allowed",
        right[:8] + right[8:].upper(): "mixed",
        "nothing": "begins with",
    }
    arguments: list[Any] = [HRP, PAYEE.hex(), [right, right.upper(), *wrong]]
    text, read = await page.run(CODE_ADDRESSES % json.dumps(arguments))
    assert text == right
    assert read[:2] == [PAYEE.hex()] * 2
    for said, expected in zip(read[2:], wrong.values(), strict=True):
        assert expected in said
    await fill(page, "address", next(iter(wrong)))
    assert "checksum" in await page.run("document.getElementById('address-error').textContent")
    assert await page.run("document.getElementById('start').disabled")
