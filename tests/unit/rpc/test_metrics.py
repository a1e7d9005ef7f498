"""/metrics, /health and /ready of a real node, and the dashboard that reads them."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inos import work
from inos.core.errors import NodeError
from inos.node.node import Node, open_node
from inos.node.settings import NodeSettings, load_settings
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transfer
from support.cluster import await_that

DEPLOY = Path(__file__).parents[3] / "deploy"
LIMIT_S = 60
MINER_ONLY = {"inos_miner_tickets_per_second", "inos_miner_tickets", "inos_miner_blocks", "inos_miner_jobs"}


def make_settings(lab: Any, path: Path, **flags: Any) -> NodeSettings:
    given = {"network": str(lab.genesis_file), "data_dir": path, "rpc_port": 0, "p2p_port": 0} | flags
    return load_settings(given | {"metrics": "127.0.0.1:0"})


async def fetch(node: Node, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{node.metrics_url}{path}") as response:
        return response.status, await response.text()


async def read_metrics(node: Node) -> dict[str, dict[str, float]]:
    """Return samples by the family's name, then by labels."""
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
    async with aiohttp.ClientSession() as session, session.post(node.rpc.url, json=body) as response:
        await response.read()


async def test_what_happens_is_seen_in_the_metrics(lab: Any, tmp_path: Path) -> None:
    settings = make_settings(lab, tmp_path / "node", mine="auto", purpose="filler", vote=False)
    async with open_node(settings, lab.clock) as node:
        assert node.miner is not None
        node.miner.stop()
        before = await read_metrics(node)
        assert before["inos_mempool_transactions"]["{}"] == 0
        await node.core.transactions.add(lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5)))
        assert (await read_metrics(node))["inos_mempool_transactions"]["{}"] == 1
        await lab.extend(node.core)
        await lab.extend(node.core)
        await node.core.matrices.put(lab.x)
        await call(node, "chain_head")
        await call(node, "chain_getBlock", block=99)
        after, height = await read_metrics(node), node.core.ledger.tip.header.height
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


async def have_peers(*nodes: Node) -> bool:
    return all(node.p2p.peers() for node in nodes)


async def are_equal(a: Node, b: Node) -> bool:
    return a.core.ledger.tip.id == b.core.ledger.tip.id


async def test_peers_jobs_pins_and_trouble_are_seen_in_the_metrics(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "a"), lab.clock) as a:
        fresh = await read_metrics(a)
        async with open_node(make_settings(lab, tmp_path / "b", peers=[a.p2p_address]), lab.clock) as b:
            await await_that("they are peers", partial(have_peers, a, b), LIMIT_S)
            job = await lab.post_and_claim(a.core)
            claimed = await read_metrics(a)
            await a.core.matrices.put(lab.y)
            await a.core.transactions.add(lab.submit(job))
            await lab.extend(a.core)
            await await_that("one tip", partial(are_equal, a, b), LIMIT_S)
            (ref,) = {work.matrix_ref(lab.x).matrix_id}
            await a.core.matrices.pin(ref)
            settled, follower = await read_metrics(a), await read_metrics(b)
        lab.clock.now += 3_600_000
        late = await read_metrics(a)
    assert fresh["inos_peers"] == {'{"direction": "inbound"}': 0, '{"direction": "outbound"}': 0}
    assert settled["inos_peers"] == {'{"direction": "inbound"}': 1, '{"direction": "outbound"}': 0}
    assert follower["inos_peers"] == {'{"direction": "inbound"}': 0, '{"direction": "outbound"}': 1}
    for moved in (settled, follower):
        assert min(moved["inos_peers_bytes"].values()) > 0
    assert follower["inos_chain_height"] == settled["inos_chain_height"] == {"{}": 3}
    assert follower["inos_chain_best_header_height"]["{}"] == 3
    assert follower["inos_sync_blocks_left"]["{}"] == 0
    assert claimed["inos_escrow_credits"]["{}"] > fresh["inos_escrow_credits"]["{}"] == 0
    assert settled["inos_escrow_credits"]["{}"] == 0
    assert settled["inos_burned_credits"]["_total{}"] > fresh["inos_burned_credits"]["_total{}"]
    assert settled["inos_paid_share_ratio"]["{}"] > claimed["inos_paid_share_ratio"]["{}"] == 0
    assert settled["inos_chain_weight_tickets"]["{}"] > fresh["inos_chain_weight_tickets"]["{}"]
    assert settled["inos_supply_credits"]["{}"] > fresh["inos_supply_credits"]["{}"]
    assert (settled["inos_mesh_matrices"]["{}"], follower["inos_mesh_matrices"]["{}"]) == (3, 3)
    assert (claimed["inos_mesh_pinned"]["{}"], settled["inos_mesh_pinned"]["{}"]) == (0, 1)
    assert late["inos_chain_tip_age_seconds"]["{}"] > 3000 > settled["inos_chain_tip_age_seconds"]["{}"]
    assert late["inos_health_ok"]['{"check": "tip"}'] < settled["inos_health_ok"]['{"check": "tip"}'] == 1
    assert late["inos_uptime_seconds"]["{}"] > settled["inos_uptime_seconds"]["{}"]


async def test_a_reorganisation_is_seen_in_the_metrics(lab: Any, tmp_path: Path) -> None:
    other = lab.open("other")
    async with open_node(make_settings(lab, tmp_path / "a"), lab.clock) as node:
        await lab.extend(node.core)
        branch = [await lab.mine(other)]
        await other.blocks.add(*branch[0])
        branch.append(await lab.mine(other))
        for block, witness in branch:
            await node.core.blocks.add(block, witness)
        seen = await read_metrics(node)
    assert (seen["inos_chain_blocks_disconnected"]["_total{}"], seen["inos_chain_deepest_reorg_blocks"]["{}"]) == (1, 1)
    assert seen["inos_chain_blocks_connected"]["_total{}"] == 3


async def test_health_is_a_status_that_machines_understand(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node"), lab.clock) as node:
        status, text = await fetch(node, "/health")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert (await fetch(node, "/ready"))[0] == 200
        await lab.extend(node.core)
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
            await lab.extend(node.core)
        await call(node, "chain_head")
        known = set(await read_metrics(node)) | {"inos_clock_ahead_seconds"}
    rules = (DEPLOY / "alerts.yml").read_text().split("- alert: ")[1:]
    assert [re.findall(r"severity: (critical|warning)\n", rule) != [] for rule in rules] == [True] * len(rules)
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    queries += re.findall(r"expr: (.*)", (DEPLOY / "alerts.yml").read_text())
    named = {name for query in queries for name in re.findall(r"\b(?:inos|process)_[a-z_]+", query)}
    assert len(named) > 20
    assert {re.sub("_(total|bucket|count|sum|info)$", "", name) for name in named} - known == set()
    assert all(panel["title"] and panel.get("description") for panel in dashboard["panels"] if panel["type"] != "row")
