"""/metrics, /health and /ready of a real node, and the dashboard that reads them."""

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.errors import NodeError
from node.node import Node, open_node
from node.settings import NodeSettings, load_settings
from primitives.errors import InosError
from primitives.transactions import Transfer

DEPLOY = Path(__file__).parents[3] / "deploy"
MINER_ONLY = {"inos_miner_tickets_per_second", "inos_miner_tickets", "inos_miner_blocks", "inos_miner_jobs"}


def make_settings(lab: Any, path: Path, **flags: Any) -> NodeSettings:
    given = {"network": str(lab.genesis_file), "data_dir": path, "rpc_port": 0, "p2p_port": 0} | flags
    return load_settings(given | {"metrics": "127.0.0.1:0"})


async def fetch(node: Node, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{node.metrics_url}{path}") as response:
        return response.status, await response.text()


async def read_metrics(node: Node) -> dict[str, dict[str, float]]:
    """Samples by the family's name, then by labels."""
    status, text = await fetch(node, "/metrics")
    assert status == 200
    families = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, f"{family.name} has no HELP"
        families[family.name] = {
            sample.name.removeprefix(family.name) + json.dumps(sample.labels, sort_keys=True): sample.value
            for sample in family.samples
        }
    return families


async def call(node: Node, method: str, **params: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with aiohttp.ClientSession() as session, session.post(node.rpc_url, json=body) as response:
        await response.read()


async def test_what_happens_is_seen_in_the_metrics(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node", mine="auto", purpose="filler"), lab.clock) as node:
        assert node.miner is not None
        node.miner.stop()
        before = await read_metrics(node)
        assert before["inos_mempool_transactions"]["{}"] == 0
        await node.service.add_transaction(lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5)))
        assert (await read_metrics(node))["inos_mempool_transactions"]["{}"] == 1
        await lab.extend(node.service)
        await lab.extend(node.service)
        await node.service.add_matrix(lab.x)
        await call(node, "chain_head")
        await call(node, "chain_getBlock", block=99)
        after, height = await read_metrics(node), node.service.ledger.tip.header.height
    assert height >= 2
    assert after["inos_chain_height"]["{}"] == after["inos_chain_blocks_connected"]["_total{}"] == height
    assert after["inos_mempool_transactions"]["{}"] == 0
    assert after["inos_block_spacing_seconds"]["{}"] > 0
    assert after["inos_minted_credits"]["_total{}"] > before["inos_minted_credits"]["_total{}"]
    assert (after["inos_mesh_matrices"]["{}"], after["inos_mesh_bytes"]["{}"] > 0) == (1, True)
    calls = after["inos_rpc_seconds"]
    assert calls['_count{"method": "chain_head", "outcome": "ok"}'] == 1
    assert calls['_count{"method": "chain_getBlock", "outcome": "block-unknown"}'] == 1
    assert after["inos_health_ok"]['{"check": "database"}'] == 1
    assert set(after) >= MINER_ONLY
    assert after["inos_database_write_seconds"]["_total{}"] > 0
    assert after["inos_database_bytes"]["{}"] > before["inos_database_bytes"]["{}"] > 0
    assert after["process_resident_memory_bytes"]["{}"] > 1 << 20
    assert after["process_open_fds"]["{}"] > 3
    assert after["process_cpu_seconds"]["_total{}"] > before["process_cpu_seconds"]["_total{}"]


async def test_health_is_a_status_that_machines_understand(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node"), lab.clock) as node:
        status, text = await fetch(node, "/health")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert (await fetch(node, "/ready"))[0] == 200
        await lab.extend(node.service)
        lab.clock.now += 3_600_000
        status, text = await fetch(node, "/health")
        assert status == 503
        (red,) = (check for check in json.loads(text)["checks"] if not check["ok"])
        assert (red["name"], red["code"], bool(red["hint"])) == ("tip", "tip-old", True)
        assert (await fetch(node, "/"))[0] == 404


async def test_a_node_without_the_peers_it_was_told_of_is_not_ready(lab: Any, tmp_path: Path) -> None:
    nobody = f"{'07' * 32}@127.0.0.1:9"
    async with open_node(make_settings(lab, tmp_path / "node", peers=[nobody]), lab.clock) as node:
        status, text = await fetch(node, "/ready")
        assert (status, json.loads(text)["ready"]) == (503, False)
        lab.clock.now += 3_600_000
        red = {check["code"] for check in json.loads((await fetch(node, "/health"))[1])["checks"] if not check["ok"]}
    assert red == {"no-block", "no-peers"}


async def test_a_port_that_is_taken_stops_the_start(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "a")) as node:
        assert node.metrics_url is not None
        place = node.metrics_url.removeprefix("http://")
        settings = make_settings(lab, tmp_path / "b").model_copy(update={"metrics": place})
        with pytest.raises(InosError) as error:
            async with open_node(settings):
                pass
        assert error.value.code == "port-in-use"
        assert "--metrics" in str(error.value.hint)


@pytest.mark.parametrize("place", ["9645", "localhost:9645", "127.0.0.1", "127.0.0.1:70000"])
def test_where_metrics_cannot_be(place: str) -> None:
    with pytest.raises(NodeError) as error:
        load_settings({"metrics": place})
    assert error.value.code == "bad-setting"


async def test_the_dashboard_asks_for_nothing_that_is_not_there(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node", mine="auto"), lab.clock) as node:
        for _ in range(6):
            await lab.extend(node.service)
        await call(node, "chain_head")
        known = set(await read_metrics(node)) | {"inos_clock_ahead_seconds"}
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    named = {name for query in queries for name in re.findall(r"\b(?:inos|process)_[a-z_]+", query)}
    assert len(named) > 20
    assert {re.sub("_(total|bucket|count|sum|info)$", "", name) for name in named} - known == set()
    assert all(panel["title"] and panel.get("description") for panel in dashboard["panels"] if panel["type"] != "row")
