"""Tests the container file with its contents, the compose file, the dashboard, and the systemd unit."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from inos.node.settings import DEFAULT_P2P_PORT, DEFAULT_RPC_PORT, NodeSettings, load_settings
from support.bare_names import BARE_NAMES
from support.documents import ROOT

CONTAINER: Final = ROOT / "deploy" / "Containerfile"
COMPOSE: Final = ROOT / "deploy" / "compose.yaml"
FILES: Final = frozenset({"deploy/*", "docs/*.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"})


def test_the_build_of_a_container_takes_the_sources_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == BARE_NAMES | FILES | {"inos"}
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__", "**/*.so"]


def test_the_container_runs_as_a_user_with_a_number_that_owns_the_volume() -> None:
    text = CONTAINER.read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["8645:8645"]
    assert "groupadd --system --gid 8645 inos && useradd --system --uid 8645 --gid 8645" in text


def test_each_published_port_is_one_that_the_node_serves_to_other_hosts() -> None:
    text = CONTAINER.read_text()
    published = re.findall(r"-p (?:127\.0\.0\.1:)?(\d+):\1", text)
    assert published == ["8646", "8645"]
    assert set(published) < set(re.findall(r"^EXPOSE (.*)$", text, re.MULTILINE)[0].split())
    assert "INOS_RPC_HOST=0.0.0.0" in text
    assert "INOS_P2P_HOST=0.0.0.0" in text


def read_variables(text: str) -> dict[str, str]:
    """Return the INOS_* that a file sets."""
    return dict(re.findall(r"\b(INOS_\w+)=(\S+)", "".join(re.findall(r"^(?!#)(.*\n)", text, re.MULTILINE))))


@pytest.mark.parametrize("name", ["Containerfile", "inos.service"])
def test_the_node_knows_each_setting_of_unit_and_container(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "deploy" / name).read_text()
    for variable, value in read_variables(text).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings({})
    assert len(read_variables(text)) >= 5
    assert {name.removeprefix("INOS_").lower() for name in read_variables(text)} <= settings.model_fields_set
    assert (settings.network, settings.p2p_host) == ("testnet", "0.0.0.0")


@pytest.fixture
def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is missing; `make docs` installs it")
    return dict(yaml.safe_load(COMPOSE.read_text()))


def test_compose_mounts_files_that_are_there(compose: dict[str, Any]) -> None:
    mounts = [one.split(":") for service in compose["services"].values() for one in service["volumes"]]
    files = [source for source, *_ in mounts if source.startswith(".")]
    assert {source for source, *_ in mounts} - set(files) == set(compose["volumes"])
    assert len(files) == 5
    assert all((COMPOSE.parent / source).is_file() for source in files)
    assert all(mode == ["ro"] for source, _, *mode in mounts if source in files)
    build = compose["services"]["node"]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == CONTAINER


def test_compose_opens_to_other_machines_the_peers_port_only(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service["ports"]]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == [
        f"{DEFAULT_P2P_PORT}:{DEFAULT_P2P_PORT}"
    ]
    assert f"127.0.0.1:{DEFAULT_RPC_PORT}:{DEFAULT_RPC_PORT}" in published


def test_compose_runs_pinned_versions_with_limits_and_no_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert service["user"].split(":")[0] not in ("0", "root")
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert service["read_only"]
        assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"])
        assert service["healthcheck"]["test"][0] == "CMD"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert compose["services"]["node"]["image"] == f"inos:{version}"
    assert (
        re.findall(r'user: "(.*)"', COMPOSE.read_text())[0]
        == re.findall(r"^USER (.*)$", CONTAINER.read_text(), re.M)[0]
    )


def test_compose_passes_settings_that_the_node_knows(compose: dict[str, Any]) -> None:
    passed = compose["services"]["node"]["environment"]
    assert {name.removeprefix("INOS_").lower() for name in passed} <= set(NodeSettings.model_fields)
    assert set(passed.values()) == {None}  # an empty text would be a wrong setting


def test_what_compose_starts_finds_each_other(compose: dict[str, Any]) -> None:
    folder = COMPOSE.parent / "compose"
    target, own = re.findall(r'targets: \["(.*)"\]', (folder / "prometheus.yml").read_text())
    host, _, port = target.partition(":")
    assert host in compose["services"]
    assert f"INOS_METRICS=0.0.0.0:{port}" in CONTAINER.read_text()
    assert f"127.0.0.1:{port}/health" in compose["services"]["node"]["healthcheck"]["test"][-1]
    (url,) = re.findall(r"url: http://(.*)", (folder / "grafana-datasources.yml").read_text())
    assert url == f"prometheus:{own.partition(':')[2]}"
    (path,) = re.findall(r"path: (.*)", (folder / "grafana-dashboards.yml").read_text())
    mounts = [one.split(":")[1] for one in compose["services"]["grafana"]["volumes"]]
    assert f"{path}/inos.json" in mounts


def test_the_dashboard_chooses_nodes_when_it_is_opened() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    (node,) = (one for one in dashboard["templating"]["list"] if one["name"] == "instance")
    assert node["refresh"] in (1, 2)  # 0 never asks Prometheus, so that a provisioned dashboard is empty
    assert node["current"]["value"] == ["$__all"]
    legends = [target["legendFormat"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert all("{{" in legend for legend in legends)


def test_the_unit_installs_from_this_repository() -> None:
    unit = Path(ROOT / "deploy" / "inos.service").read_text()
    assert "pip install PATH-OF-THIS-REPOSITORY" in unit
