"""Type every command of README and docs in one folder next to one devnet.

Placeholders (ADDRESS, ID, PORT, ...) are filled in, sizes are reduced where the originals take too long, and ports are
free ones. A command that is not run here names the test that runs it.
"""

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.documented_effects import check_devnet, check_page
from support.documents import PAGES, ROOT, SHELL, Snippet, read_blocks, read_inline, split_commands
from support.leftovers import MARK

pytestmark = pytest.mark.long

PASSWORD: Final = "correct horse battery staple"
COMMAND_S: Final = 300
START_S: Final = 240
ELSEWHERE: Final = {
    "make devnet": "tests/functional/test_devnet_command.py",
    ".venv/bin/inos devnet --until-jobs 8 --json": "tests/functional/test_devnet_command.py",
    '.venv/bin/inos devnet --nodes 8 --chaos "kill=6/min,partition=2/min,delay=200ms,liars=2" --duration 1m': (
        "tests/functional/test_chaos_command.py"
    ),
    "make test": ".ci/run",
    "make setup": "Makefile",
    "source .venv/bin/activate": "Makefile",
    ". .venv/bin/activate": "Makefile",
    "git clone <this repository> inos && cd inos": ".ci/run",
    "inos bench work": "tests/unit/inos/cli/test_bench.py",
    "inos bench work --rounds 3": "tests/unit/inos/cli/test_bench.py",
    "inos bench work --rounds 5 --plot docs/img/bench-work.png": "tests/unit/inos/cli/test_bench.py",
    "inos bench challenge": "tests/unit/inos/cli/test_bench.py",
    "inos bench start": "tests/unit/inos/cli/test_bench.py",
    "inos bench chain": "tests/unit/inos/bench/test_long_chain.py",
    "inos bench chain --rounds 5": "tests/unit/inos/bench/test_long_chain.py",
    "inos bench programs": "tests/unit/inos/cli/test_bench.py",
    "inos bench floats": "tests/unit/inos/cli/test_bench.py",
    "inos bench floats --rounds 3": "tests/unit/inos/cli/test_bench.py",
    "inos bench jobs": "tests/unit/inos/bench/test_jobs.py",
    "inos bench rpc": "tests/functional/test_bench_rpc.py",
    "inos bench net": "tests/functional/test_bench_net.py",
    "inos bench cluster": "tests/unit/inos/bench/test_cluster.py",
    "inos bench workers": "tests/unit/inos/bench/test_workers.py",
    "inos worker": "tests/functional/test_workers.py",
    "inos learn show digits": "tests/unit/inos/cli/test_learn.py",
    "inos learn verify digits": "tests/unit/inos/cli/test_learn.py",
    "inos learn verify digits --first 800 --last 900": "tests/unit/inos/cli/test_learn.py",
    "inos learn resume digits": "tests/unit/inos/cli/test_learn.py",
    "inos learn publish digits": "tests/unit/inos/cli/test_learn.py",
    "inos learn fetch ID FOLDER": "tests/unit/inos/cli/test_learn.py",
    "inos learn show": "tests/unit/inos/cli/test_learn.py",
    "inos learn verify": "tests/unit/inos/cli/test_learn.py",
    "inos learn resume": "tests/unit/inos/cli/test_learn.py",
    "python examples/federated.py --liars 2": "tests/functional/test_examples.py",
    "python examples/federated.py --liars 2 --fedavg": "tests/functional/test_examples.py",
    "inos bench pool": "tests/unit/inos/bench/test_pool.py",
    "inos node --pool": "tests/functional/test_pool.py",
    "inos worker --join URL --pay ADDRESS": "tests/functional/test_pool.py",
    "inos bench cluster --rounds 9": "tests/unit/inos/bench/test_cluster.py",
    "inos bench browser": "tests/unit/inos/bench/browser/test_measure.py",
    "inos devnet": "tests/functional/test_devnet_command.py",
    "inos evolve": "tests/unit/inos/cli/test_evolve.py",
    "inos evolve run paid -n 5 --miners": "tests/functional/test_evolution.py",
    "inos evolve join ID FOLDER --miners": "tests/functional/test_evolution.py",
    "inos program deploy": "tests/unit/inos/cli/test_program.py",
    "inos wallet restore": "tests/unit/inos/cli/test_wallet.py",
    "inos faucet --folder ./faucet --amount 10 --per-day 100 --port 0 --wallet dev": (
        "tests/functional/test_faucet_command.py"
    ),
    "inos wallet bump ID": "tests/functional/test_wallet_signers.py",
    "inos wallet cancel ID": "tests/functional/test_wallet_signers.py",
    "inos wallet connect NAME -- COMMAND": "tests/functional/test_wallet_signers.py",
    "inos wallet sign --to … --amount … --nonce … --fee …": "tests/unit/inos/cli/test_wallet.py",
    "inos wallet combine": "tests/functional/test_wallet_signers.py",
    "inos wallet sign-message TEXT": "tests/functional/test_wallet_signers.py",
    "inos wallet verify-message ADDRESS PROOF TEXT": "tests/functional/test_wallet_signers.py",
    "inos wallet multisig": "tests/functional/test_wallet_signers.py",
    "inos bench blocks": "tests/functional/test_bench_blocks.py",
    "inos matmul --on-chain": "tests/unit/inos/cli/test_matmul.py",
    "inos job cancel": "tests/unit/inos/cli/test_job.py",
    "inos job dispute ID": "tests/unit/inos/cli/test_job.py",
    "inos wallet vote": "tests/unit/inos/cli/test_wallet.py",
    "inos wallet unvote": "tests/unit/inos/cli/test_wallet.py",
    "inos wallet withdraw": "tests/unit/inos/cli/test_wallet.py",
}
"""Commands that another test or CI runs; that file must contain the command's last word."""
INLINE: Final = {
    "inos worker --pay": "inos worker --help | grep pay",
    "inos faucet": "inos faucet --help",
    "inos wallet address --qr": "inos wallet address --qr",
    "inos wallet": "inos wallet --help",
    "inos wallet export-key -o FILE": "inos wallet export-key -y -o exported.key",
    "inos wallet import-key": "inos wallet import-key --wallet imported --key-file exported.key",
    "inos job post": "inos job post X.npy W.npy --reward 1 -y",
    "inos job watch ID": "inos job watch ID",
    "inos wallet transaction ID": "inos wallet transaction TX",
    "inos wallet balance": "inos wallet balance",
    "inos top": "inos top --once",
    "inos status": "inos status",
    "inos doctor": "inos doctor --data-dir NODE || true",
    "inos light": "inos light --network devnet --node RPC --rpc-port 0 --data-dir ./light",
    "inos finality status": "inos finality status",
    "inos finality export": "inos finality export --data-dir ./my-miner -o votes.json",
    "inos finality import": "inos finality import votes.json --data-dir ./my-miner",
    "inos node --help": "inos node --help",
    "inos node --prune": "inos node --data-dir ./pruned --prune",
    "inos wallet import-key --wallet worker --key-file DIR/worker.key": (
        "inos wallet import-key --wallet worker --key-file NODE/worker.key"
    ),
    "inos node --mesh-quota 20GiB": "inos node --data-dir ./quota --mesh-quota 20GiB",
    "inos snapshot FOLDER": "inos snapshot FOLDER --data-dir NODE",
    "inos node --data-dir FOLDER": "inos node --data-dir FOLDER",
    "inos node --explorer": "inos node --data-dir ./explored --explorer",
    "inos rpc rpc.discover": "inos rpc rpc.discover",
    "inos job quote": "inos job quote X.npy W.npy",
    "inos job quote M N K": "inos job quote 64 64 64",
    "inos job post -o": "inos job post X.npy W.npy --reward 1 -o posted.npy -y",
    "inos node --miner-priority idle": "inos node --data-dir ./idle --mine auto --miner-priority idle",
    "inos node --no-jury": "inos node --data-dir ./no-jury --no-jury",
    "inos job result": "inos job result ID -o again.npy",
    "inos job record ADDRESS": "inos job record ADDRESS",
    "inos job result ID -o Y.npy": "inos job result ID -o Y.npy",
    "inos job receipt ID -o r.json": "inos job watch ID && inos job receipt ID -o r.json",
    "inos verify r.json --x X.npy --w W.npy --y Y.npy": (
        "inos verify r.json --x X.npy --w W.npy --y Y.npy --node RPC | grep 'payment proven'"
    ),
    "inos verify": "inos verify r.json --node RPC",
    "inos job post X.npy W.npy --reward 20 --bond 50": "inos job post X.npy W.npy --reward 20 --bond 50 -y",
    "inos snapshot": "inos snapshot ./again --no-check --data-dir NODE",
    "inos doctor --data-dir ./first": "inos doctor --data-dir ./first || true",
    "inos genesis show testnet": "inos genesis show testnet",
    "inos genesis show NETWORK": "inos genesis show devnet",
    "inos rpc finality_committee": "inos rpc finality_committee",
    "inos db check": "inos db check --data-dir ./my-node",
    "inos db compact": "inos db compact --data-dir ./my-node",
    "inos db recheck": "inos db recheck --data-dir ./my-node",
    "inos db export": "inos db export ./exported --data-dir ./my-node",
    "inos db export FILE": "inos db export FILE --data-dir ./my-node",
    "inos db import FILE": "inos db import FILE --data-dir ./imported",
    "inos db import": "inos db import FILE --data-dir ./imported-again",
    "inos genesis derive": "inos genesis derive ./own.json",
    "inos matmul A.npy B.npy -o C.npy": "inos matmul X.npy W.npy --transposed -o C.npy",
    "inos completion bash > ~/.local/share/bash-completion/completions/inos": (
        "mkdir -p ~/.local/share/bash-completion/completions; "
        "inos completion bash > ~/.local/share/bash-completion/completions/inos"
    ),
    "inos function run --local": "inos function run --local words.wasm < /dev/null",
    "inos function run --local --json": "inos function run --local --json words.wasm 2 < words.wasm",
    "inos bench finality": "inos bench finality --rounds 2",
    "inos bench sync": "inos bench sync --blocks 40",
    "inos bench snapshot": "inos bench snapshot --accounts 200",
    "inos bench functions": "inos bench functions --rounds 1 words.wasm",
    "inos bench mesh": "inos bench mesh --mib 2",
    "inos program run": "inos program run program.bin pixels.npy weights.npy",
    "inos program run scores.json x.npy": "inos program run scores.json x.npy",
    "inos program call": "inos program call PROGRAM x.npy",
    "inos function call": "inos function call words.wasm --yes --password-file password.txt < scores.json",
    "inos job outputs ID -o FILE": (
        "inos job list --poster ADDRESS --limit 1 --json | grep -oE '[0-9a-f]{64}' > posted.txt; "
        "inos job outputs $(sed -n 1p posted.txt) -o again.txt && test -s again.txt"
    ),
}
"""Commands in running text, with what is typed for each, in this order, after the commands of the blocks."""

WITH_PYTHON: Final = ("README.md", "docs/client.md", "docs/programs.md", "docs/tasks.md")
"""Pages whose blocks of Python are run too."""


class Reader:
    """A reader at a terminal with one folder, one home and one wallet."""

    def __init__(self, folder: Path, network: list[dict[str, str]], nodes: list[Path]) -> None:
        self._folder = folder
        self._nodes: dict[str, subprocess.Popen[str]] = {}
        home = folder / "home"
        home.mkdir()
        self._environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            MARK: os.environ[MARK],
            "INOS_RPC": network[0]["rpc"],
            "INOS_RPC_PORT": "0",
            "INOS_P2P_PORT": "0",
            "INOS_FILLER_RATE": "5000",  # like the devnet's miners; without a limit it would find all blocks
        }
        self._filled = {
            "http://127.0.0.1:8645": network[0]["rpc"],
            "http://127.0.0.1:PORT": network[0]["rpc"],
            "ID@127.0.0.1:PORT": network[1]["p2p"],
            "--peer ...": f"--peer {network[1]['p2p']}",
            "0.0.0.0": "127.0.0.1",
            "127.0.0.1:9645": "127.0.0.1:0",
            "NODE": str(nodes[0]),
            "RPC": network[0]["rpc"],
            "FOLDER": "./copied",
            "FILE": "./chain",
            '"..."': f'"{PASSWORD}"',
        }

    def turn_page(self) -> None:
        """Start a new page as a new reader, who has no node yet."""
        self.stop_nodes()
        shutil.rmtree(Path(self._environment["HOME"]) / ".inos" / "node", ignore_errors=True)

    def type(self, typed: Snippet) -> None:
        """Run a command, or start one that runs until it is stopped."""
        if typed.page == "docs/testnet.md" and (self._folder / "first" / "node.json").exists():
            typed = typed._replace(text=typed.text.replace("ID@127.0.0.1:PORT", self._read_first("p2p")))
        text = self._fill(typed.text)
        is_changing = re.match(r"inos mesh (pin|unpin|drop|quota)", text)
        environment = self._environment | ({"INOS_DATA_DIR": self._filled["NODE"]} if is_changing else {})
        if re.match(r"inos (node|light)\b(?!.*--help)", text):
            self._start(typed, text)
            return
        if text.startswith("inos rpc miner_status"):
            environment = {name: value for name, value in environment.items() if name != "INOS_RPC"}
        if "my-testnet.json" in text and (self._folder / "first" / "node.json").exists():
            environment = environment | {"INOS_RPC": self._read_first("rpc")}
        if text.startswith(("inos db ", "inos finality export", "inos finality import")):
            self.stop_nodes()
        said = f"{PASSWORD}\n{PASSWORD}\n"
        if "wallet send" in text:
            said = f"y\n{PASSWORD}\n"
        elif "job post" in text or "program call" in text:
            said = f"{PASSWORD}\ny\n"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", text],
            cwd=self._folder, env=environment, capture_output=True, text=True, input=said, timeout=COMMAND_S,
            start_new_session=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{typed}: {text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        self._learn(text, done.stdout)

    def run_python(self, block: Snippet) -> None:
        done = subprocess.run(
            [sys.executable, "-c", self._fill(block.text)],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=COMMAND_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stderr[-3000:]}"
        out = done.stdout
        assert "True" in out or "tickets" in out or out.startswith("block ") or float(out) < 1e-9, f"{block}: {out}"

    def stop_nodes(self) -> None:
        for key in list(self._nodes):
            self._stop(key)

    def _fill(self, text: str) -> str:
        for placeholder, value in self._filled.items():
            text = re.sub(rf"(?<![\w/]){re.escape(placeholder)}(?!\w)", value, text)
        return text

    def _read_first(self, name: str) -> str:
        """Return an address of the first node of the network in docs/testnet.md."""
        return str(json.loads((self._folder / "first" / "node.json").read_text())[name])

    def _learn(self, text: str, output: str) -> None:
        """Remember what a reader would copy from the screen."""
        if text == "inos wallet address":
            self._filled["ADDRESS"] = output.strip()
        if re.match(r"inos (job post|mesh put|program deploy)", text):
            self._filled["ID"] = re.findall(r"\b[0-9a-f]{64}\b", output)[0]
        if text.startswith("inos program deploy"):
            self._filled["PROGRAM"] = self._filled["ID"]
        if text.startswith("inos wallet send") and "--unsigned" not in text:
            self._filled.setdefault("TX", re.findall(r"\b[0-9a-f]{64}\b", output)[0])

    def _start(self, typed: Snippet, text: str) -> None:
        match = re.search(r"--data-dir (\S+)", text)
        key = match[1] if match else "~"
        self._stop(key)
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._nodes[key] = process
        _await_words(process, "INOS ", f"{typed}: {text}")

    def _stop(self, key: str) -> None:
        process = self._nodes.pop(key, None)
        if process is not None:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130)
            if process.stdout is not None:
                process.stdout.close()


def _await_words(process: subprocess.Popen[str], word: str, what: str) -> None:
    """Wait for a line with `word`. Later output is read too, so that the process never waits because of a full pipe."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # closed when the node has ended
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    seen, until = "", time.monotonic() + START_S
    while True:
        line = lines.get(timeout=max(0.1, until - time.monotonic()))
        assert line is not None, f"{what} ended:\n{seen[-3000:]}"
        seen += line
        if word in line:
            return


@contextlib.contextmanager
def run_devnet(folder: Path) -> Iterator[tuple[list[dict[str, str]], list[Path]]]:
    """Start the README's devnet on free ports and yield addresses and data directories of its nodes."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "inos", "devnet", "--json", "--data-dir", str(folder), "--rpc-port", port],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + START_S
        while len(found := sorted(folder.glob("*/node.json"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < until, "the devnet does not start"
            time.sleep(0.1)  # there is no event to await: three processes write these files
        found.sort(key=lambda path: port not in json.loads(path.read_text())["rpc"])  # the first node first
        yield [json.loads(path.read_text()) for path in found], [path.parent for path in found]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.mark.timeout(1500)
def test_every_documented_command_does_what_it_says(tmp_path: Path) -> None:
    blocks = [block for page in PAGES for block in read_blocks(page)]
    inline = {one.text: one for page in PAGES for one in read_inline(page) if re.match(r"inos [a-z]", one.text)}
    typed = [one for block in blocks if block.language == SHELL for one in split_commands(block)]
    unknown = inline.keys() - INLINE.keys() - ELSEWHERE.keys() - {one.text.split("#")[0].strip() for one in typed}
    assert not unknown, f"add them to INLINE: {sorted(unknown)}"
    (tmp_path / "watch.key").write_text("0b" * 32 + "\n")
    (tmp_path / "watch.key").chmod(0o600)
    (tmp_path / "module.wasm").write_bytes(b"\0asm\1\0\0\0")
    shutil.copy(ROOT / "examples" / "functions" / "words-c.wasm", tmp_path / "words.wasm")
    shutil.copy(ROOT / "examples" / "functions" / "cartpole.wasm", tmp_path / "cartpole.wasm")
    with run_devnet(tmp_path / "net") as (network, nodes):
        reader = Reader(tmp_path, network, nodes)
        try:
            page = "README.md"
            for block in blocks:
                if block.page != page:
                    check_page(page, tmp_path)
                    reader.turn_page()
                    page = block.page
                if block.language == SHELL:
                    for one in split_commands(block):
                        if one.text.split("  #")[0].strip() not in ELSEWHERE:
                            reader.type(one)
                elif block.language == "python" and block.page in WITH_PYTHON:
                    reader.run_python(block)
            for named, text in INLINE.items():
                if named in inline:
                    reader.type(inline[named]._replace(text=text))
            check_devnet(network[0]["rpc"])
        finally:
            reader.stop_nodes()


@pytest.mark.parametrize("typed", ELSEWHERE)
def test_what_is_run_elsewhere_is(typed: str) -> None:
    place = (ROOT / ELSEWHERE[typed]).read_text(encoding="utf-8")
    word = re.findall(r"[a-z]+", typed.split(" --")[0])[-1]
    assert word in place or ELSEWHERE[typed] in ("Makefile", ".ci/run")
