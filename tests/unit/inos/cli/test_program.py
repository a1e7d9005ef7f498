"""`inos program` with good programs, and with every kind of broken or hostile file: a clear refusal, never a crash."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from inos.cli import main as cli
from inos.client.blocking_client import BlockingClient
from inos.primitives.matrices import DType
from inos.programs import Inline, Input, Stored, Type, check_program, compute_program_id, encode_program, encode_value
from inos.programs.json_form import MAX_FILE_BYTES
from inos.programs.ops import Add, MatmulT, Mul
from inos.testing import TestChain
from inos.testing.chain import PHRASE
from inos.wallet.keystore import KeystoreInfo, ScryptCost, Secret, encode_keystore
from inos.work import matrix_id
from inos.work.files import compute_file_id
from support.program_parts import INT7, make
from support.tasks import W, make_network
from support.tasks import X as PRODUCT_X

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "programs.json").read_text())
X = {"name": "x", "rows": 1, "cols": 2, "lo": 0, "hi": 9, "source": ["customer"]}
MUL = {"op": "MUL", "operands": [0, 0], "attrs": [1]}
BODY: dict[str, Any] = {"inputs": [X], "nodes": [], "outputs": [0]}
GOOD: dict[str, Any] = {"program": {"inputs": [X], "nodes": [MUL], "outputs": [1]}, "given": {"x": [[3, 9]]}}


def run(*args: Any) -> Result:
    return CliRunner().invoke(cli.app, ["program", *map(str, args)])


def write(path: Path, value: Any) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def change(**parts: Any) -> dict[str, Any]:
    return GOOD | {"program": GOOD["program"] | parts}


def node(**parts: Any) -> dict[str, Any]:
    return change(nodes=[MUL | parts])


def an_input(**parts: Any) -> dict[str, Any]:
    return change(inputs=[X | parts])


def give(*rows: Any) -> dict[str, Any]:
    return GOOD | {"given": {"x": list(rows)}}


def loop(count: Any, depth: int = 1, body: Any = BODY) -> dict[str, Any]:
    for _ in range(depth):
        repeat = {"op": "REPEAT", "operands": [0], "attrs": [count, body, 1, 0]}
        body = BODY | {"nodes": [repeat], "outputs": [1]}
    return GOOD | {"program": body}


@pytest.mark.parametrize("vector", VECTORS[::10], ids=[vector["name"] for vector in VECTORS[::10]])
def test_a_vector_is_printed_as_it_stands(vector: dict[str, Any], tmp_path: Path) -> None:
    done = run("run", write(tmp_path / "p.json", vector), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found) == ["results", "types", "cost"]
    assert (found["results"], found["types"]) == (vector["results"], vector["types"])
    assert found["cost"] | vector["cost"] == found["cost"]
    assert json.loads(run("cost", tmp_path / "p.json", "--json").stdout) == found["cost"]
    assert json.loads(run("check", tmp_path / "p.json", "--json").stdout)["types"] == vector["types"]


def test_an_encoded_program_reads_and_writes_npy_files(tmp_path: Path) -> None:
    weights = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    bias = np.array([[1000, -1, 2, 3]])
    kind = Type(1, 4, -1, 1000)
    file = encode_value(bias, kind)
    program = make(
        [
            INT7,
            Input(INT7, Stored(matrix_id(weights), DType.INT7)),
            Input(kind, Stored(compute_file_id(file), DType.BYTES)),
            Input(Type(1, 1, 3, 3), Inline(b"\x03")),
        ],
        (MatmulT(1), (0, 1)),
        (Add(), (4, 2)),
        (Mul(0), (5, 3)),
        outputs=(6, 0),
    )
    write(tmp_path / "p.bin", encode_program(program))
    write(tmp_path / "bias.bin", file)
    x = np.arange(16).reshape(4, 4)
    for name, array in (("x", x), ("w", weights)):
        np.save(tmp_path / f"{name}.npy", array)
    names = [
        f"{matrix_id(weights).hex()}={tmp_path / 'w.npy'}",
        f"{compute_file_id(file).hex()}={tmp_path / 'bias.bin'}",
    ]
    outputs = ["-o", tmp_path / "y.npy", "-o", tmp_path / "same.npy"]
    stored = ["--stored", names[0], "--stored", names[1]]
    done = run("run", tmp_path / "p.bin", tmp_path / "x.npy", *stored, *outputs, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == [str(tmp_path / "y.npy"), str(tmp_path / "same.npy")]
    assert np.load(tmp_path / "y.npy").tolist() == (3 * (x @ weights.T + bias)).tolist()
    assert np.load(tmp_path / "same.npy").dtype == np.int8
    shown = run("run", tmp_path / "p.bin", tmp_path / "x.npy", *stored)
    assert f"result 0: {check_program(program).results[0]}, int32" in shown.stdout
    for wrong, code in (
        ([tmp_path / "x.npy"], "input-missing"),
        ([tmp_path / "x.npy", "--stored", names[0].replace("w.npy", "x.npy"), *stored[2:]], "entry"),
        ([tmp_path / "x.npy", "--stored", names[0], "--stored", names[1].replace("bias.bin", "p.bin")], "wrong-matrix"),
        ([tmp_path / "x.npy", *stored, "--stored", "12=3"], "bad-setting"),
        ([tmp_path / "x.npy", *stored, "-o", tmp_path / "y.npy"], "result-count"),
        ([*stored], "input-count"),
        ([tmp_path / "p.bin", *stored], "bad-npy"),
    ):
        refused = run("run", tmp_path / "p.bin", *wrong)
        if code != "entry":
            assert (refused.exit_code, f"error [{code}]" in refused.stderr) == (1, True), refused.output
        assert refused.exit_code == 1


def test_checking_shows_what_a_program_takes_and_gives(tmp_path: Path) -> None:
    file = write(tmp_path / "p.json", GOOD)
    shown = run("check", file).stdout
    assert "input  0   1 x 2 in 0 .. 9  x" in shown
    assert "result 0   1 x 2 in 0 .. 41, int8" in shown
    assert json.loads(run("check", file, "--json").stdout)["given"] == [[1, 2, 0, 9]]
    assert "elements      2" in run("cost", file).stdout
    assert "  5 41" in run("run", file).stdout


def test_a_program_may_be_the_file_itself(tmp_path: Path) -> None:
    done = run("run", write(tmp_path / "p.json", GOOD["program"] | {"given": GOOD["given"]}), "--json")
    assert json.loads(done.stdout)["results"] == [[[5, 41]]]


def test_inputs_on_the_command_line_replace_those_in_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[2, 4]]))
    done = run("run", write(tmp_path / "p.json", GOOD), tmp_path / "x.npy", "--json")
    assert json.loads(done.stdout)["results"] == [[[2, 8]]]


BROKEN: dict[str, tuple[str, Any]] = {
    "nothing": ("malformed-program", b""),
    "not JSON": ("malformed-program", b"hello"),
    "cut JSON": ("malformed-program", json.dumps(GOOD).encode()[:-9]),
    "no UTF-8": ("malformed-program", json.dumps(GOOD).encode().replace(b"MUL", b"M\xff\xfeL")),
    "a list": ("malformed-program", VECTORS[:2]),
    "a number": ("malformed-program", 5),
    "null": ("malformed-program", None),
    "no program": ("malformed-program", {"given": {}}),
    "a cut encoding": ("malformed-program", encode_program(make([INT7]))[:-1]),
    "bytes behind an encoding": ("malformed-program", encode_program(make([INT7])) + b"\x00"),
    "a boundless array": ("malformed-program", b"\x94\x01\xdd\xff\xff\xff\xff"),
    "nested without end": ("malformed-program", b'{"program":' + b"[" * 500_000),
    "a deep attribute": ("bad-attribute", node(attrs=[[[[[[1]]]]]])),
    "a missing key": ("malformed-program", change(inputs=[{"name": "x"}])),
    "an unknown key": ("malformed-program", change(more=1)),
    "a float": ("malformed-program", an_input(rows=1.0)),
    "NaN": ("malformed-program", an_input(lo=float("nan"))),
    "NaN among the entries": ("malformed-program", give([float("nan"), 2])),
    "a number of 5,000 digits": ("malformed-program", json.dumps(GOOD).replace("9", "9" * 5000).encode()),
    "an attribute of 5,000 digits": (
        "bad-attribute",
        json.dumps(GOOD).replace('"attrs": [1', '"attrs": [' + "9" * 5000).encode(),
    ),
    "infinity": ("malformed-program", an_input(hi=float("inf"))),
    "a boolean": ("malformed-program", an_input(rows=True)),
    "a number in quotes": ("malformed-program", an_input(rows="1")),
    "a number of 400 digits": ("malformed-program", an_input(hi=10**400)),
    "2^64": ("malformed-program", an_input(hi=2**64 - 1)),
    "an interval that overflows": ("out-of-range", an_input(hi=2**62 + 1)),
    "an interval whose square overflows": ("out-of-range", an_input(hi=2**40)),
    "10^12 rows": ("bad-size", an_input(rows=10**12)),
    "no rows": ("bad-size", an_input(rows=0)),
    "a negative size": ("bad-size", an_input(rows=-1, cols=-1)),
    "an unknown source": ("bad-source", an_input(source=["thief"])),
    "inline without bytes": ("bad-source", an_input(source=["inline"])),
    "inline that is no hex": ("bad-source", an_input(source=["inline", "xy"])),
    "inline of another size": ("bad-source", an_input(source=["inline", "010203"])),
    "inline outside the interval": ("bad-source", an_input(source=["inline", "0163"])),
    "a stored id that is too short": ("bad-source", an_input(source=["stored", "00", 1])),
    "a stored matrix of dtype 7": ("bad-source", an_input(source=["stored", "00" * 32, 7])),
    "two inputs of one name": ("duplicate-name", change(inputs=[X, X])),
    "an unknown operation": ("unknown-op", node(op="DROP\x1b[31m")),
    "a missing attribute": ("bad-attribute", node(attrs=[])),
    "an attribute too many": ("bad-attribute", node(attrs=[1, 2])),
    "a shift of 63": ("bad-attribute", node(attrs=[63])),
    "a boolean attribute": ("bad-attribute", node(attrs=[True])),
    "a float attribute": ("bad-attribute", node(attrs=[1.0])),
    "attributes that are an object": ("bad-attribute", node(attrs={})),
    "an operand that is not there": ("bad-reference", node(operands=[0, 9])),
    "an operand of 2^62": ("bad-reference", node(operands=[0, 2**62])),
    "an operand of 2^64": ("malformed-program", node(operands=[0, 2**64])),
    "a negative operand": ("bad-reference", node(operands=[0, -1])),
    "no operands": ("bad-operands", node(operands=[])),
    "no outputs": ("bad-outputs", change(outputs=[])),
    "an output that is not there": ("bad-reference", change(outputs=[2])),
    "17 outputs": ("too-many", change(outputs=[0] * 17)),
    "2^40 iterations": ("bad-attribute", loop(2**40)),
    "a negative count": ("bad-attribute", loop(-1)),
    "a count that is a float": ("bad-attribute", loop(1e3)),
    "a body that is a number": ("malformed-program", loop(2, body=7)),
    "five loops deep": ("too-many", loop(2, depth=5)),
    "a product that is too large": (
        "bad-size",
        change(nodes=[{"op": "VIEW", "operands": [0], "attrs": [0, [[2**20, 0]], [[2**20, 0]]]}]),
    ),
}
REFUSED_RUNS: dict[str, tuple[str, Any]] = {
    "no matrix": ("input-missing", GOOD | {"given": {}}),
    "nothing given": ("input-missing", {"program": GOOD["program"]}),
    "another name": ("input-unknown", GOOD | {"given": {"x": [[1, 2]], "y": [[1]]}}),
    "given as a list": ("malformed-input", GOOD | {"given": [[[1, 2]]]}),
    "a row too many": ("input-shape", give([1, 2], [3, 4])),
    "a ragged row": ("input-shape", give([1])),
    "no rows": ("input-shape", give()),
    "a vector": ("malformed-input", give(1, 2)),
    "a float": ("malformed-input", give([1.5, 2])),
    "a boolean": ("malformed-input", give([True, 2])),
    "text": ("malformed-input", give(["1", 2])),
    "null": ("malformed-input", give([None, 2])),
    "an entry beyond its interval": ("input-range", give([1, 10])),
    "an entry beyond 64 bits": ("malformed-input", give([1, 2**63])),
    "an entry of 400 digits": ("malformed-input", give([1, 10**400])),
    "more memory than a juror has": (
        "program-too-heavy",
        change(
            nodes=[
                {"op": "VIEW", "operands": [0], "attrs": [0, [[2**15, 0]], [[2**16, 0]]]},
                MUL | {"operands": [1, 1]},
            ],
            outputs=[1, 2],
        ),
    ),
    "more units than a juror has": ("program-too-heavy", loop(2**20, depth=4)),
}


@pytest.mark.parametrize("command", ["check", "cost", "run"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_program_is_refused(name: str, command: str, tmp_path: Path) -> None:
    code, value = BROKEN[name]
    done = run(command, write(tmp_path / "p", value), "--json")
    assert done.exit_code == 1, done.output
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code, error
    assert error["hint"]
    assert "\x1b" not in done.output


@pytest.mark.parametrize("name", REFUSED_RUNS)
def test_a_run_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    code, value = REFUSED_RUNS[name]
    file = write(tmp_path / "p.json", value)
    assert run("check", file).exit_code == 0
    done = run("run", file)
    assert (done.exit_code, f"error [{code}]" in done.stderr) == (1, True), done.output


def test_a_file_is_bounded_and_one_that_is_none_is_told(tmp_path: Path) -> None:
    large = write(tmp_path / "large.json", b" " * (MAX_FILE_BYTES + 2))
    assert "error [program-too-large]" in run("check", large).stderr
    assert "error [file-unreadable]" in run("check", tmp_path).stderr
    assert "error [file-unreadable]" in run("check", tmp_path / "none").stderr
    assert run("check").exit_code == 2


def test_many_entries_are_written_and_not_printed(tmp_path: Path) -> None:
    view = {"op": "VIEW", "operands": [0], "attrs": [0, [[2**11, 0]], [[2**12, 0]]]}
    file = write(tmp_path / "p.json", change(nodes=[view]))
    assert "result-too-large" in run("run", file, "--json").stdout
    assert "entries from 3 to 3" in run("run", file).stdout
    assert run("run", file, "--json", "-o", tmp_path / "y.npy").exit_code == 0
    assert (np.load(tmp_path / "y.npy") == 3).all()


def test_a_juror_bound_can_be_lifted(tmp_path: Path) -> None:
    body = BODY | {"nodes": [{"op": "CLAMP", "operands": [0], "attrs": [0, 9]}], "outputs": [1]}
    file = write(tmp_path / "p.json", loop(1500, depth=2, body=body))
    assert run("run", file).exit_code == 1
    done = run("run", file, "--unlimited", "--json")
    assert json.loads(done.stdout)["results"] == [[[3, 9]]]


@pytest.fixture
def paying(tmp_path: Path, inos_devnet: TestChain, monkeypatch: pytest.MonkeyPatch) -> TestChain:
    """Return a chain whose first account is the wallet "default" of the commands."""
    wallets, password = tmp_path / "wallets", tmp_path / "password"
    wallets.mkdir()
    info = KeystoreInfo("devnet", inos_devnet.network.hrp, inos_devnet.accounts[0].address)
    (wallets / "default.keystore.json").write_bytes(
        encode_keystore(Secret(PHRASE, ""), "pw", info, ScryptCost(2, 8, 1))
    )
    password.write_text("pw")
    password.chmod(0o600)
    monkeypatch.setenv("INOS_WALLET_DIR", str(wallets))
    monkeypatch.setenv("INOS_NETWORK", str(inos_devnet.genesis_file))
    monkeypatch.setenv("INOS_RPC", inos_devnet.url)
    monkeypatch.chdir(tmp_path)
    return inos_devnet


def test_a_call_that_cannot_be_answered_is_refused_before_it_is_posted(paying: TestChain, tmp_path: Path) -> None:
    write(tmp_path / "p.bin", encode_program(make_network().program))
    np.save(tmp_path / "x.npy", PRODUCT_X)
    np.save(tmp_path / "short.npy", PRODUCT_X[:2])
    np.save(tmp_path / "w.npy", W)
    stored = next(iter(make_network().matrices))
    deployed = json.loads(run("deploy", "p.bin", "--stored", f"{stored.hex()}=w.npy", "--json").stdout)
    with BlockingClient(paying.url) as client:
        text, operand = client.put_bytes(b"no program").id.hex(), client.put_matrix(W).id.hex()
    before = paying.get_balance(paying.accounts[0])
    for words, code in (
        ((text, "x.npy"), "malformed-program"),
        ((operand, "x.npy"), "not-bytes"),
        (("no id", "x.npy"), "bad-id"),
        ((deployed["id"], "x.npy", "-o", "one.npy"), "result-count"),
        ((deployed["id"], "short.npy"), "input-shape"),
        ((deployed["id"],), "input-count"),
        ((deployed["id"], "x.npy", "--max-cost", "0.000000001"), "no-jury"),
    ):
        refused = run("call", *words, "--password-file", "password", "--json")
        assert refused.exit_code == 1, refused.output
        assert json.loads(refused.stdout)["error"]["code"] == code, refused.output
    assert paying.get_balance(paying.accounts[0]) == before
    assert not (tmp_path / "one.npy").exists()


def test_a_call_can_be_signed_elsewhere(paying: TestChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.client.tasks.find_missing_jury", lambda jurors: None)  # the chain seats one meanwhile
    network = make_network()
    np.save(tmp_path / "x.npy", PRODUCT_X)
    with BlockingClient(paying.url, wallet=paying.accounts[1].key) as client:
        expected = client.run(network, [PRODUCT_X])
    program = compute_program_id(network.program).hex()
    before = paying.get_balance(paying.accounts[0])
    drafted = run("call", program, "x.npy", "--unsigned", "draft.json", "-y", "--json")
    assert drafted.exit_code == 0, drafted.output
    assert json.loads(drafted.stdout) | {"file": "draft.json", "does": "PostTask"} == json.loads(drafted.stdout)
    assert paying.get_balance(paying.accounts[0]) == before
    for words in (("sign", "draft.json", "-y", "--password-file", "password"), ("broadcast", "draft.json")):
        done = CliRunner().invoke(cli.app, ["wallet", *words, "--json"])
        assert done.exit_code == 0, done.output
    id_ = json.loads(done.stdout)["id"]
    names = [f"y{number}.{kind}" for number, kind in enumerate(("npy", "bin")[: len(expected)])]
    brought = CliRunner().invoke(
        cli.app, ["job", "outputs", id_, *(word for name in names for word in ("-o", name)), "--json"]
    )
    assert brought.exit_code == 0, brought.output
    assert np.array_equal(np.load("y0.npy"), expected[0])
    assert len(json.loads(brought.stdout)["outputs"]) == len(expected)
