"""`inos work` with good and bad input. Each error has a code, and nothing is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from inos.cli import main as cli

ANCHOR = "11" * 32
ANY = "ff" * 32


def run(*args: Any) -> Result:
    return CliRunner().invoke(cli.app, ["work", *map(str, args)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    random = np.random.default_rng(0)
    for name, rows in (("x", 20), ("w", 33)):
        np.save(tmp_path / f"{name}.npy", random.integers(-64, 64, (rows, 90), dtype=np.int8))
    return tmp_path / "x.npy", tmp_path / "w.npy"


@pytest.mark.parametrize("name", ["cert.json", "cert.bin"])
def test_mine_then_verify(files: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    file, product = tmp_path / name, tmp_path / "y.npy"
    done = run("mine", *files, "--anchor", ANCHOR, "--target", ANY, "-o", file, "--product", product)
    assert done.exit_code == 0, done.output
    x, w = (np.load(path).astype(np.int64) for path in files)
    assert np.array_equal(np.load(product), x @ w.T)
    checked = run("verify", file, "--anchor", ANCHOR, "--target", ANY, "--json")
    assert checked.exit_code == 0, checked.output
    digest = json.loads(checked.stdout)["digest"]
    assert digest in done.stdout
    assert run("verify", file, "--anchor", ANCHOR, "--target", digest).exit_code == 0
    harder = f"{int(digest, 16) - 1:064x}"
    for anchor, target, code in ((ANCHOR, harder, "above-target"), ("22" * 32, ANY, "digest-mismatch")):
        refused = run("verify", file, "--anchor", anchor, "--target", target)
        assert (refused.exit_code, code in refused.stderr) == (1, True), refused.output


def test_one_changed_bit_of_a_file_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "cert.bin"
    run("mine", *files, "--anchor", ANCHOR, "--target", ANY, "-o", file)
    data = bytearray(file.read_bytes())
    for at in (0, 3, 40, 300, len(data) // 2, len(data) - 1):
        data[at] ^= 1
        file.write_bytes(data)
        refused = run("verify", file, "--anchor", ANCHOR, "--target", ANY)
        assert (refused.exit_code, "error [" in refused.stderr) == (1, True), refused.output
        data[at] ^= 1


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[1", b"hello", b'{"seal": 1}', b'{"seal": {"x": {"id": "zz"}}, "witness": {}}', b"\xff" * 300_000],
)
def test_files_that_are_no_certificate(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "bad").write_bytes(text)
    refused = run("verify", tmp_path / "bad", "--anchor", ANCHOR, "--target", ANY)
    assert (refused.exit_code, "error [bad-certificate]" in refused.stderr) == (1, True), refused.output
    assert "file-unreadable" in run("verify", tmp_path / "none", "--anchor", ANCHOR, "--target", ANY).stderr


@pytest.mark.parametrize(
    ("array", "code", "place"),
    [
        (np.full((3, 5), 64, np.int8), "entry-out-of-range", "row 0, column 0 is 64"),
        (np.array([[0, 1], [2, -65]]), "entry-out-of-range", "row 1, column 1 is -65"),
        (np.array([[2**63]], np.uint64), "entry-out-of-range", "row 0, column 0"),
        (np.zeros((3, 5)), "bad-dtype", "float64"),
        (np.zeros((3, 5), bool), "bad-dtype", "bool"),
        (np.zeros(5, np.int8), "bad-shape", "two dimensions"),
        (np.zeros((0, 5), np.int8), "bad-shape", "0 x 5"),
        (np.zeros((3, 91), np.int8), "depth-mismatch", "90"),
        (np.array([[object()]]), "bad-npy", "bad.npy"),
    ],
)
def test_bad_operands(files: tuple[Path, Path], tmp_path: Path, array: Any, code: str, place: str) -> None:
    bad = tmp_path / "bad.npy"
    np.save(bad, array, allow_pickle=True)
    refused = run("tickets", files[0], bad, "--anchor", ANCHOR)
    assert refused.exit_code == 1
    assert f"error [{code}]" in refused.stderr
    assert place in refused.stderr
    assert "Traceback" not in refused.output


def test_other_integers_that_fit_are_taken(files: tuple[Path, Path], tmp_path: Path) -> None:
    wide = tmp_path / "wide.npy"
    np.save(wide, np.load(files[1]).astype(np.int64))
    taken = run("tickets", files[0], wide, "--anchor", ANCHOR, "--json")
    assert "int64" in taken.stderr
    assert taken.stdout == run("tickets", *files, "--anchor", ANCHOR, "--json").stdout


def test_bad_options(files: tuple[Path, Path]) -> None:
    for anchor in ("zz", "11" * 31, "11" * 33, ""):
        assert "error [bad-anchor]" in run("tickets", *files, "--anchor", anchor).stderr
    assert "error [bad-target]" in run("mine", *files, "--anchor", ANCHOR, "--target", "1").stderr
    assert "error [unknown-backend]" in run("tickets", *files, "--anchor", ANCHOR, "--backend", "abacus").stderr
    assert run("tickets", *files).exit_code == 2
    assert run("tickets", *files, "--anchor", ANCHOR, "--threads", 0).exit_code == 2


def test_no_win_is_said(files: tuple[Path, Path], tmp_path: Path) -> None:
    refused = run("mine", *files, "--anchor", ANCHOR, "--target", "00" * 32, "-o", tmp_path / "c.json")
    assert (refused.exit_code, "error [no-win]" in refused.stderr) == (1, True)
    assert not (tmp_path / "c.json").exists()


def test_backends() -> None:
    infos = {info["name"]: info for info in json.loads(run("backends", "--json").stdout)}
    assert infos["numpy"] == {"name": "numpy", "available": True, "reason": "", "device": ""}
    assert "numpy" in run("backends").stdout
