"""Each panel of the Grafana dashboard shows something while Prometheus scrapes a node that mines beside another one."""

import asyncio
import contextlib
import json
import math
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from inos.node.process import NodeSpec, run_nodes
from support.cluster import ask, await_that
from support.documents import ROOT

DEPLOY: Final = ROOT / "deploy"
PROMETHEUS: Final = shutil.which("prometheus")
LIMIT_S: Final = 120
MINES: Final = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--mine", "auto", "--threads", "1")
DASHBOARD: Final = json.loads((DEPLOY / "grafana-dashboard.json").read_text())

pytestmark = [
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus (Debian: prometheus)"),
    pytest.mark.timeout(300),
]


@contextlib.contextmanager
def run_prometheus(folder: Path, target: str) -> Iterator[str]:
    """Run Prometheus with the configuration of deploy/, scraping one node every second, and yield its address."""
    folder.mkdir()
    config = (DEPLOY / "prometheus.yml").read_text().replace("127.0.0.1:9645", target)
    (folder / "prometheus.yml").write_text(config.replace("scrape_interval: 10s", "scrape_interval: 1s"))
    shutil.copy(DEPLOY / "alerts.yml", folder)
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROMETHEUS), "--config.file=prometheus.yml", f"--web.listen-address={place}"],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://{place}/api/v1"
    finally:
        process.terminate()
        process.wait(60)


def query(url: str, expression: str) -> list[dict[str, Any]]:
    with urlopen(f"{url}/query?{urlencode({'query': expression})}", timeout=60) as answer:
        return list(json.load(answer)["data"]["result"])


def list_empty_panels(url: str) -> list[str]:
    """Return the panels' queries that have no finite value, or lack a label that the legend names."""
    empty = []
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            found = query(url, target["expr"].replace("$instance", ".*"))
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            shown = [one for one in found if math.isfinite(float(one["value"][1])) and labels <= one["metric"].keys()]
            if not shown:
                empty.append(f"{panel['title']}: {target['expr']} as {target['legendFormat']}: {found[:2]}")
    return empty


async def test_no_panel_is_empty_beside_a_live_node(tmp_path: Path) -> None:
    first = NodeSpec("first", tmp_path / "first", (*MINES, "--filler-rate", "3000"))
    second = NodeSpec("second", tmp_path / "second", (*MINES, "--filler-rate", "3000", "--metrics", "127.0.0.1:0"))
    async with run_nodes([first, second]) as (_, node):
        metrics = json.loads((second.data_dir / "node.json").read_text())["metrics"].removeprefix("http://")
        with run_prometheus(tmp_path / "prometheus", metrics) as url:

            async def has_all() -> bool:
                await ask(node.rpc_url, "chain_head")
                return not await asyncio.to_thread(list_empty_panels, url)

            try:
                await await_that("every panel shows something", has_all, LIMIT_S)
            except AssertionError:
                pytest.fail("\n".join(list_empty_panels(url)))
            (up,) = query(url, 'up{job="inos"}')
    assert up["value"][1] == "1"
