"""Flags override the environment, which overrides the file; an error names the setting and its place."""

from pathlib import Path

import pytest
import typer

from inos.cli.node import command
from inos.core.errors import NodeError
from inos.miner import Purpose
from inos.node.settings import FLAGS, NodeSettings, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INOS_NETWORK", "INOS_RPC_PORT", "INOS_DATA_DIR", "INOS_PEERS", "INOS_P2P_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_flags_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "node.toml"
    config.write_text('rpc_port = 1\np2p_port = 2\nnetwork = "testnet"\nlog_level = "debug"\n')
    monkeypatch.setenv("INOS_P2P_PORT", "20")
    monkeypatch.setenv("INOS_RPC_PORT", "10")
    settings = load_settings({"rpc_port": 100, "network": None, "data_dir": tmp_path}, config)
    assert (settings.rpc_port, settings.p2p_port, settings.network) == (100, 20, "testnet")
    assert settings.log_level == "debug"


def test_the_data_directory_s_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('purpose = "filler"\npeers = ["a", "b"]\n')
    settings = load_settings({"data_dir": tmp_path})
    assert settings.purpose is Purpose.FILLER
    assert settings.peers == ("a", "b")
    assert load_settings({"data_dir": tmp_path / "other"}).purpose is Purpose.ANY


def test_peers_in_the_environment_are_separated_by_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INOS_PEERS", "one, two")
    monkeypatch.setenv("INOS_RPC_ALLOWED_HOSTS", "a.example,b.example")
    settings = load_settings({"data_dir": tmp_path})
    assert settings.peers == ("one", "two")
    assert settings.rpc_allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rcp_port = 1\n", "rcp_port"),
        ('job_modes = ["cheap"]\n', "job_modes in"),
        ("job_modes = []\n", "job_modes in"),
        ("rpc_port = 70000\n", "rpc_port in"),
        ('log_level = "loud"\n', "log_level in"),
        ("rpc_port = \n", "is not TOML"),
    ],
)
def test_a_bad_file_is_refused_naming_the_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(NodeError) as refused:
        load_settings({"data_dir": tmp_path})
    assert refused.value.code == "bad-setting"
    assert words in refused.value.message
    assert str(path) in refused.value.message


def test_a_bad_flag_and_a_bad_variable_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NodeError, match="--rpc-port"):
        load_settings({"rpc_port": -1, "data_dir": tmp_path})
    monkeypatch.setenv("INOS_RPC_PORT", "many")
    with pytest.raises(NodeError, match="INOS_RPC_PORT in the environment"):
        load_settings({"data_dir": tmp_path})


def test_a_missing_config_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="cannot read the configuration"):
        load_settings({"data_dir": tmp_path}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("job_modes", ("foo",), "--job-mode:"),
        ("min_reward_per_ticket", -1, "--min-reward:"),
        ("filler_rate", float("inf"), "--filler-rate:"),
        ("rpc_port", 70_000, "--rpc-port:"),
    ],
)
def test_a_wrong_setting_is_called_what_it_was_typed_as(name: str, value: object, flag: str) -> None:
    with pytest.raises(NodeError) as error:
        load_settings({name: value})
    assert flag in error.value.message


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "{b = " * 20_000, "\ufeff" + "[" * 60_000])
def test_a_file_nested_without_end_is_no_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(NodeError, match=r"is not TOML|larger than") as caught:
        load_settings({"data_dir": tmp_path})
    assert caught.value.code == "bad-setting"


def test_an_error_names_a_flag_that_the_command_has() -> None:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    options = {one.name: set(one.opts) for one in typer.main.get_command(app).params}
    assert {f"--{flag}" for flag in FLAGS.values()} <= set().union(*options.values())
    named = {
        name: f"--{FLAGS.get(name, name.replace('_', '-'))}" for name in options if name in NodeSettings.model_fields
    }
    assert len(named) > 35
    assert [flag for name, flag in named.items() if flag not in options[name]] == []
