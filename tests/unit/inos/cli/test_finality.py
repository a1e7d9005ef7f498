"""`inos finality export` and `import` transfer a journal together with its key."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.agents.voter.journal import Signed
from inos.cli.main import app
from inos.genesis import load_network
from inos.node.datadir import DataDir
from inos.node.voting import load_voter_secret, open_journal
from inos.primitives.bls import get_bls

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data directory of a stopped voter, whose journal has two votes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    net = load_network("devnet")
    with DataDir(tmp_path / "node", net.genesis_id) as data:
        secret = load_voter_secret(data)
        with open_journal(data, secret, net.genesis_id, get_bls()) as journal:
            journal.sign(Signed(0, 2, "0a"))
            journal.sign(Signed(2, 3, "0b"))
    return tmp_path / "node"


def run(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["finality", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_a_journal_moves_with_its_key(folder: Path, tmp_path: Path) -> None:
    export = tmp_path / "journal.json"
    run("export", "--data-dir", str(folder), "--output", str(export))
    votes = json.loads(export.read_text())["data"][0]["signed_attestations"]
    assert [(vote["source_epoch"], vote["target_epoch"]) for vote in votes] == [("0", "2"), ("2", "3")]
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    shutil.copy(folder / "voter.key", other / "voter.key")
    answer = json.loads(run("import", str(export), "--data-dir", str(other), "--json"))
    assert answer == {"read": 2, "new": 2, "journal": 2}
    assert json.loads(run("import", str(export), "--data-dir", str(other), "--json"))["new"] == 0
    assert json.loads(run("export", "--data-dir", str(other))) == json.loads(export.read_text())


def test_what_cannot_be_moved_is_refused(folder: Path, tmp_path: Path) -> None:
    export = tmp_path / "journal.json"
    run("export", "--data-dir", str(folder), "--output", str(export))
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    assert "no-voter-key" in run("import", str(export), "--data-dir", str(other), code=1)
    (other / "voter.key").write_text("11" * 32 + "\n")
    (other / "voter.key").chmod(0o600)
    assert "other-key" in run("import", str(export), "--data-dir", str(other), code=1)
    assert "no-data-dir" in run("export", "--data-dir", str(tmp_path / "nothing"), code=1)
    with DataDir(folder, load_network("devnet").genesis_id):
        assert "data-dir-in-use" in run("export", "--data-dir", str(folder), code=1)
