"""A TypeScript client that a public generator makes from the OpenRPC document compiles, and reads a test chain.

The generator is `@open-rpc/generator` (Apache-2.0), installed by `make typescript`.
"""

import json
import subprocess
from pathlib import Path
from shutil import copytree, which

import pytest

from inos.rpc.description.openrpc import make_document
from inos.rpc.methods import ALL_METHODS
from inos.testing import TestChain

FOLDER = Path(__file__).parents[1] / "typescript"
MODULES = FOLDER / "node_modules"
CALLS = """
const { INOSNode } = require("./build/index.js");
const [host, port] = process.argv.slice(2);
async function read(type, path) {
  const node = new INOSNode({ transport: { type, host, port: Number(port), path } });
  const head = await node.chain_head();
  const block = await node.chain_getBlock(1);
  const listed = await node.chain_listBlocks(null, 2);
  node.transport.close();
  return { height: head.height, sender: block.transactions[0].sender, listed: listed.blocks.map((b) => b.height) };
}
(async () => {
  console.log(JSON.stringify([await read("http", ""), await read("websocket", "/ws")]));
})().catch((error) => { console.error(error); process.exit(1); });
"""

pytestmark = pytest.mark.skipif(
    not MODULES.exists() or which("node") is None, reason="the generator is not installed: make typescript"
)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_generated_client_compiles_and_reads_a_chain(tmp_path: Path, inos_devnet: TestChain) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "openrpc.json").write_text(json.dumps(make_document(ALL_METHODS)))
    command = ("node_modules/.bin/open-rpc-generator", "generate", "-t", "client", "-l", "typescript", "-n", "inos")
    run(tmp_path, *command, "-d", "openrpc.json", "-o", "out")
    client = tmp_path / "client"
    copytree(tmp_path / "out" / "client" / "typescript", client)
    run(client, str(MODULES / ".bin" / "tsc"), "--project", ".", "--skipLibCheck")
    alice, bob, *_ = inos_devnet.accounts
    inos_devnet.send(alice, bob, 1)
    inos_devnet.mine()
    (client / "calls.js").write_text(CALLS)
    host, _, port = inos_devnet.url.removeprefix("http://").partition(":")
    answers = json.loads(run(client, "node", "calls.js", host, port))
    assert answers == [{"height": 2, "sender": alice.address, "listed": [2, 1]}] * 2
