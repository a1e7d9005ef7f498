"""Check the committed certificate vectors field by field."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray
from typer.testing import CliRunner

from inos import work
from inos.cli import main as cli
from inos.work import Operand
from inos.work.noise import compute_noise_w, compute_noise_x, compute_permutations

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "certificate.json").read_text())
ANY = 2**256 - 1


def make_operand(vector: dict[str, Any], side: str) -> NDArray[np.int8]:
    rows = vector["m"] if side == "x" else vector["n"]
    data = blake3(f"{vector['name']}/{side}".encode()).digest(length=rows * vector["k"])
    return ((np.frombuffer(data, dtype=np.uint8) & 0x7F).astype(np.int8) - 64).reshape(rows, vector["k"])


@pytest.fixture(params=VECTORS, ids=[v["name"] for v in VECTORS])
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_there_are_three() -> None:
    assert [v["name"] for v in VECTORS] == ["tiny", "ragged", "wide"]


def test_ids_and_paths(vector: dict[str, Any]) -> None:
    x, w = make_operand(vector, "x"), make_operand(vector, "w")
    assert work.matrix_id(x).hex() == vector["x_id"]
    assert work.matrix_id(w).hex() == vector["w_id"]
    assert work.matrix_id(x.astype(np.int32) @ w.astype(np.int32).T).hex() == vector["y_id"]
    leaves, tree = work.compute_leaves(x), Operand.commit(x).tree
    for index, field in ((0, "x_strip0_path"), (len(leaves) - 1, "x_last_strip_path")):
        assert [node.hex() for node in work.compute_matrix_path(leaves, index)] == vector[field]
        assert [node.hex() for node in tree.compute_path(index)] == vector[field]


def test_seeds_and_noise(vector: dict[str, Any]) -> None:
    seed_w = work.compute_seed_w(bytes.fromhex(vector["anchor"]), bytes.fromhex(vector["w_id"]))
    seed_x = work.compute_seed_x(seed_w, bytes.fromhex(vector["x_id"]))
    assert (seed_x.hex(), seed_w.hex()) == (vector["seed_x"], vector["seed_w"])
    assert compute_noise_x(seed_x, 0, 1)[0].tolist() == vector["noise_x_row0"]
    assert compute_noise_w(seed_w, 0, 1)[0].tolist() == vector["noise_w_row0"]
    assert compute_permutations(seed_x, 0, 1)[0].tolist() == vector["perm_x_block0"]
    assert compute_permutations(seed_w, 0, 1)[0].tolist() == vector["perm_w_block0"]
    assert np.array_equal(compute_noise_x(seed_x, 0, 9)[7:], compute_noise_x(seed_x, 7, 9))
    assert np.array_equal(compute_permutations(seed_w, 0, 9)[7:], compute_permutations(seed_w, 7, 9))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", [info.name for info in work.list_backends() if info.is_available])
def test_tickets_and_product(vector: dict[str, Any], backend: str, threads: int) -> None:
    x, w = make_operand(vector, "x"), make_operand(vector, "w")
    anchor = bytes.fromhex(vector["anchor"])
    mined = work.mine(x, w, anchor, ANY, backend=backend, threads=threads)
    assert mined.is_complete
    assert mined.product is not None
    assert mined.product.dtype == np.int32
    assert np.array_equal(mined.product, x.astype(np.int64) @ w.astype(np.int64).T)
    assert mined.tickets == len(mined.wins) == vector["tickets"]
    digests = {f"{s.i},{s.j},{s.p}": s.digest.hex() for s in (win.seal for win in mined.wins)}
    assert len(digests) == vector["tickets"]
    assert vector["digests"].items() <= digests.items()
    total = 0
    for win in mined.wins:
        work.verify(win.seal, win.witness, anchor, ANY)
        total ^= int.from_bytes(win.seal.digest, "big")
    assert f"{total:064x}" == vector["digest_xor"]


def test_only_the_best_meets_its_own_digest(vector: dict[str, Any]) -> None:
    target = int(vector["best_digest"], 16)
    operands = make_operand(vector, "x"), make_operand(vector, "w")
    (win,) = work.mine(*operands, bytes.fromhex(vector["anchor"]), target).wins
    assert [win.seal.i, win.seal.j, win.seal.p] == vector["best"]
    assert win.seal.digest.hex() == vector["best_digest"]
    assert work.mine(*operands, bytes.fromhex(vector["anchor"]), target - 1).wins == ()


def test_the_command_prints_them(vector: dict[str, Any], tmp_path: Path) -> None:
    for side in "xw":
        np.save(tmp_path / f"{side}.npy", make_operand(vector, side))
    args = ["work", "tickets", str(tmp_path / "x.npy"), str(tmp_path / "w.npy"), "--anchor", vector["anchor"]]
    done = CliRunner().invoke(cli.app, [*args, "--json"])
    assert done.exit_code == 0, done.output
    fields = ["x_id", "w_id", "y_id", "seed_x", "seed_w", "tickets", "best", "best_digest", "digest_xor"]
    assert json.loads(done.stdout) == {field: vector[field] for field in fields}
    table = CliRunner().invoke(cli.app, args)
    assert vector["digest_xor"] in table.stdout
