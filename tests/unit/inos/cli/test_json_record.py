"""The output of `--json` is stable: the keys and types of every command are recorded, since programs depend on them.

After an intended change, INOS_RECORD=1 pytest tests/unit/inos/cli/test_json_record.py writes the record anew.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import typer
from typer.testing import CliRunner

from inos.bench.chains import make_chain
from inos.cli.main import COMMANDS, app, load_command
from inos.learn.training import train_run
from inos.testing import TestChain
from inos.testing.chain import PHRASE
from support.documents import ROOT
from support.evolution import make_examples
from support.training_runs import make_run

RECORD: Final = Path(__file__).parent / "json_shapes.json"
SIGNER: Final = ROOT / "tests" / "support" / "signing_device.py"
MODULE: Final = ROOT / "examples" / "functions" / "words-c.wasm"
ELSEWHERE: Final = {"bench": "figures of a benchmark are its own", "devnet": "tests/functional/test_devnet_command.py"}
MAPS: Final = {"connections"}
"""Members whose keys are data."""


def list_json_commands() -> set[str]:
    found = set()

    def walk(command: Any, path: str) -> None:
        if isinstance(command, typer.core.TyperGroup):
            for name, below in command.commands.items():
                walk(below, f"{path} {name}")
        elif any("--json" in parameter.opts for parameter in command.params):
            found.add(path)

    for name in COMMANDS.keys() - ELSEWHERE.keys():
        walk(load_command(name), name)
    return found


def describe(value: Any) -> Any:
    """Return keys and types; for a list, those that its members have together."""
    if isinstance(value, dict):
        return {key: {} if key in MAPS else describe(member) for key, member in value.items()}
    if isinstance(value, list):
        shapes: list[Any] = []
        for member in value:
            shape = describe(member)
            if shape not in shapes:
                shapes.append(shape)
        return shapes[:1]
    return type(value).__name__


def is_alike(found: Any, recorded: Any) -> bool:
    """Return whether keys and types are equal; a value that is null or empty here may have another type there."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return found.keys() == recorded.keys() and all(is_alike(found[key], recorded[key]) for key in found)
    if isinstance(found, list) and isinstance(recorded, list):
        return not found or not recorded or is_alike(found[0], recorded[0])
    return found == recorded or "NoneType" in (found, recorded) or {found, recorded} == {"int", "float"}


class Session:
    """Run commands one after another and keep what each printed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.shapes: dict[str, Any] = {}

    def __call__(self, name: str, *arguments: str, code: int = 0, or_else: int = 0) -> Any:
        done = CliRunner().invoke(app, [*name.split(), "--json", *arguments], env=self._environment)
        assert done.exit_code in (code, or_else or code), f"{name}: {done.output}"
        value = json.loads(done.stdout)
        self.shapes[name if code == 0 else "errors"] = describe(value)
        return value


def test_keys_and_kinds_stay(inos_devnet: TestChain, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name in "XWZ":
        np.save(f"{name}.npy", rng.integers(-64, 64, (32, 1024), np.int8))
    Path("password").write_text("pw\n")
    Path("password").chmod(0o600)
    Path("phrase").write_text(PHRASE + "\n")
    Path("phrase").chmod(0o600)
    made = make_chain(tmp_path / "stopped", 2)
    genesis = inos_devnet.genesis_file
    run = Session({"HOME": str(tmp_path), "INOS_RPC": inos_devnet.url, "INOS_NETWORK": str(genesis)})
    token = ("--token-file", str(inos_devnet.data_dir / "rpc.token"))
    password = ("--password-file", "password")

    run("wallet create", "--wallet", "other", *password)
    run("wallet restore", "--phrase-file", "phrase", *password)
    Path("worker.key").write_text("11" * 32)
    run("wallet import-key", "--key-file", "worker.key", "--wallet", "worker", *password)
    run("wallet scan", *password)
    run("wallet list")
    run("wallet address")
    run("wallet balance")
    other = inos_devnet.accounts[1].address
    sent = run("wallet send", other, "1", "-y", "--wait", *password)
    Path("payments.csv").write_text(f"{other},1\n")
    run("wallet send-many", "payments.csv", "-y", "--wait", *password)
    run("wallet transaction", sent["id"])
    run("wallet history")
    nonce = str(run("wallet balance")["nonce"])
    signed = run("wallet sign", "--to", other, "--amount", "1", "--nonce", nonce, "--fee", "0.001", *password)
    Path("signed").write_text(signed["hex"])
    run("wallet broadcast", "signed")
    key = run("wallet public-key", *password)["public_key"]
    run("wallet export-key", "-y", *password)
    run("wallet request", "1.5")
    run("wallet watch", "watched", other)
    run("wallet multisig", "team", "-k", "1", key, "22" * 32)
    run("wallet connect", "device", "--", sys.executable, str(SIGNER), "worker.key")
    for action in (("add", "friend", other), ("list",), ("remove", "friend")):
        run(f"wallet contacts {action[0]}", *action[1:])
    proof = run("wallet sign-message", "text", *password)
    run("wallet verify-message", proof["address"], proof["proof"], "text")
    draft = run.shapes["wallet send"], run("wallet send", other, "1", "--unsigned", "draft")
    run.shapes |= {"wallet send": draft[0], "wallet send --unsigned": describe(draft[1])}
    run("wallet combine", "draft", "draft", "-o", "draft")
    for name in ("bump", "cancel"):
        run(f"wallet {name}", sent["id"], "-y", *password, code=1)  # it is in a block
    run("wallet vote", "-y", *password, *token, code=1)
    for name in ("unvote", "withdraw"):
        run(f"wallet {name}", "-y", *password, code=1)  # there is no such voter

    run("job quote", "X.npy", "W.npy")
    job = run("job post", "X.npy", "W.npy", "--reward", "1", "-y", *password)["id"]
    run("job watch", job)
    run("job show", job)
    run("job list")
    run("job history", job)
    run("job record", other)
    run("job result", job, "-o", "Y.npy")
    run("job receipt", job, "-o", "r.json", "--depth", "0")
    inos_devnet.mine(6)
    run("verify", "r.json", "--x", "X.npy", "--w", "W.npy", "--y", "Y.npy", "--node", inos_devnet.url)
    run("job outputs", job, code=1)  # it is no task
    run("job cancel", job, *password, code=1)
    run("job dispute", job, "-y", *password, code=1)  # every node checked it

    run("status")
    run("top")
    run("doctor", or_else=1)  # the state of this machine does not matter here
    run("rpc", "chain_head")
    run("peers status")
    run("peers list")
    run("peers addresses", *token)
    run("peers bans", *token)
    run("peers unban", "all", *token)
    stored = run("mesh put", "X.npy")["id"]
    run("mesh get", stored, "-o", "copy.npy")
    run("mesh status")
    run("mesh list")
    run("mesh pin", stored, *token)
    run("mesh unpin", stored, *token)
    run("mesh quota", "1G", *token)
    run("mesh drop", run("mesh put", "Z.npy")["id"], *token)
    run("finality status")
    run("finality import", "X.npy", "--data-dir", str(tmp_path / "stopped"), code=1)
    run("genesis list")
    run("genesis show", "devnet")
    run("genesis derive", "own.json")
    run("snapshot", "copy", "--data-dir", str(inos_devnet.data_dir))

    run("matmul", "X.npy", "W.npy", "--transposed", "-o", "product.npy")

    run("function check", str(MODULE), "--cache-dir", "functions")
    run("function run", "--local", str(MODULE), "--cache-dir", "functions")

    zeros, easy = "00" * 32, "ff" * 32
    run("work tickets", "X.npy", "W.npy", "--anchor", zeros)
    run("work mine", "X.npy", "W.npy", "--anchor", zeros, "--target", easy, "-o", "certificate.json")
    run("work verify", "certificate.json", "--anchor", zeros, "--target", easy)
    run("work backends")

    x = {"name": "x", "rows": 1, "cols": 1, "lo": 0, "hi": 9, "source": ["customer"]}
    program = {"inputs": [x], "nodes": [], "outputs": [0]}
    Path("program.json").write_text(json.dumps({"program": program, "given": {"x": [[7]]}}))
    for name in ("check", "cost", "run"):
        run(f"program {name}", "program.json")
    deployed = run("program deploy", "program.json")["id"]
    np.save("x.npy", np.array([[7]], np.int8))
    run("program call", deployed, "x.npy", *password, code=1)  # a test chain has no jury
    run("function deploy", str(MODULE))
    run("function call", str(MODULE), *password, code=1)

    train_run(make_run(tmp_path / "training"))
    run("learn show", "training")
    run("learn verify", "training")
    inputs, labels = make_examples()
    np.save("inputs.npy", inputs)
    np.save("labels.npy", labels)
    run("evolve run", "island", "-n", "1", "--inputs", "inputs.npy", "--labels", "labels.npy", "--classes", "3")
    run("evolve join", "island", "other", "-n", "1")
    run("evolve show", "other")
    run("evolve replay", "other")

    place = ("--data-dir", str(tmp_path / "stopped"), "--network", str(made.network))
    run("db check", *place)
    run("db compact", *place)
    run("db recheck", *place)
    run("db export", "chain", *place)
    run("db import", "chain", "--data-dir", str(tmp_path / "taken"), "--network", str(made.network))

    refused = {"job cancel", "job dispute", "wallet vote", "wallet unvote", "wallet withdraw", "finality import"}
    refused |= {"wallet bump", "wallet cancel", "program call", "function call", "job outputs"}
    assert run.shapes.keys() - {"errors", "wallet send --unsigned"} == list_json_commands() - refused
    assert run.shapes["errors"] == {"error": {"code": "str", "message": "str", "hint": "str"}}
    if os.environ.get("INOS_RECORD"):
        RECORD.write_text(json.dumps(run.shapes, indent=1, sort_keys=True) + "\n")
    recorded = json.loads(RECORD.read_text())
    for name, shape in run.shapes.items():
        assert is_alike(shape, recorded[name]), f"inos {name} --json has changed: {shape}, not {recorded[name]}"
    assert recorded.keys() == run.shapes.keys()
