"""What the documents say will happen, asked from the nodes on which their commands were typed."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from support.cluster import ask, await_that

LIMIT_S: Final = 180.0
SPACING_S: Final = 2.0
"""The devnet's, by docs/testnet.md."""
OWN_SPACING_MS: Final = 10_000
"""That of the network which docs/testnet.md derives."""


def check_page(page: str, folder: Path) -> None:
    """Check what holds while the nodes still run that a page has started."""
    if page == "docs/testnet.md":
        asyncio.run(_check_own_network(folder))
    if page == "docs/backup.md":
        asyncio.run(_check_restored_node(folder))
    if page == "docs/monitoring.md":
        place = json.loads((folder / "watched" / "node.json").read_text())
        assert _read_metrics(f"{place['metrics']}/metrics")


async def _check_own_network(folder: Path) -> None:
    """The nodes have the derived parameters, know each other, show the explorer, and the last one is a voter."""
    places = {name: json.loads((folder / name / "node.json").read_text()) for name in ("first", "second")}
    first, second = (places[name]["rpc"] for name in ("first", "second"))
    params = await ask(first, "chain_getParams")
    assert (params["network"], params["spacing_ms"]) == ("friends", OWN_SPACING_MS)
    versions = [await ask(url, "node_version") for url in (first, second)]
    assert versions[0]["genesis"] == versions[1]["genesis"]

    async def is_joined() -> bool:
        return bool((await ask(second, "net_peers"))["peers"])

    await await_that("the second node has found the first", is_joined, LIMIT_S)
    voter = (await ask(second, "finality_status"))["voter"]
    assert voter is not None
    assert await asyncio.to_thread(_read_title, f"{first}/explorer/")


async def _check_restored_node(folder: Path) -> None:
    """The restored node earns for the same account, votes with the moved key, and knows what that key signed; the copy
    has no keys."""
    assert not [*(folder / "copy").glob("*.key"), *(folder / "copy").glob("*.journal")]
    for name in ("worker.key", "voter.key", "node.key"):
        assert (folder / "restored" / name).read_bytes() == (folder / "kept" / name).read_bytes()
    rpc = json.loads((folder / "restored" / "node.json").read_text())["rpc"]
    assert not (folder / "kept" / "node.json").exists()
    signed = json.loads((folder / "votes.json").read_text())["data"]
    votes = [vote for key in signed for vote in key["signed_attestations"]]
    journal = (folder / "restored" / "voter.journal").read_text() if votes else ""
    assert len(journal.splitlines()) >= len(votes)
    status = await ask(rpc, "finality_status")
    assert status["voter"] is not None
    assert not signed or status["voter"]["key"] == signed[0]["pubkey"].removeprefix("0x")


def check_devnet(rpc: str) -> None:
    """Check that blocks came at the spacing, and that miners vote and make blocks final."""
    asyncio.run(_check_devnet(rpc))


async def _check_devnet(rpc: str) -> None:
    async def is_final() -> dict[str, Any] | None:
        status = await ask(rpc, "finality_status")
        voter = status["voter"]
        return status if status["final_height"] > 0 and voter and voter["votes_sent"] > 0 else None

    status = await await_that("the devnet's miner votes, and a block is final", is_final, LIMIT_S)
    assert status["voter"]["is_registered"]
    blocks = (await ask(rpc, "chain_listBlocks", {"limit": 50}))["blocks"]
    spacings = [block["spacing_ms"] / 1000 for block in blocks if block["height"] > 1]
    assert spacings
    mean = sum(spacings) / len(spacings)
    # Load makes blocks late, never early.
    assert SPACING_S / 4 < mean < LIMIT_S, f"blocks came every {mean:.1f} s"


def _read_metrics(url: str) -> bool:
    with urlopen(url, timeout=60) as answer:
        return b"inos_chain_height" in answer.read()


def _read_title(url: str) -> bool:
    with urlopen(url, timeout=60) as answer:
        return b"<title>" in answer.read()
