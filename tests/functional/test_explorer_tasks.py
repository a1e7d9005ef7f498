"""Test the explorer's page of a task in headless Chromium, which reads, types, prices and draws programs."""

import base64
import json
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inos.client.client import Client
from inos.client.task_terms import TaskTerms
from inos.devnet.intro import DEV_PHRASE
from inos.functions import FunctionSpec, encode_spec
from inos.functions.limits import SPEC_VERSION
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.transactions import TaskKind
from inos.programs import check_program, compute_program_id
from inos.programs.builder import BuiltProgram, ProgramBuilder
from inos.programs.json_form import read_json
from inos.wallet.keys import derive_key
from support.browser import Page, find_chromium, open_browser
from support.cluster import await_height, await_that

CHROMIUM = find_chromium()
FLAGS = (
    *("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--explorer"),
    *("--mine", "auto", "--filler-rate", "5000", "--threads", "1", "--job-kind", "product"),
)
VECTORS = Path(__file__).parent.parent / "vectors" / "programs.json"
PHONE, DESK = (390, 844), (1400, 900)
TERMS = TaskTerms(may_wait_for_jury=True)
"""The page is tested on tasks that stay open, so no jury is needed."""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(240),
]

READ_PROGRAMS = """
(async (programs) => {
  const { fromBase64 } = await import("/explorer/bytes.js");
  const { readProgram } = await import("/explorer/program.js");
  return programs.map((text) => {
    const { values, outputs, tickets, units } = readProgram(fromBase64(text));
    const show = ({ rows, cols, lo, hi }) => [rows, cols, String(lo), String(hi)];
    return [outputs.map((number) => show(values[number].type)), tickets, units];
  });
})(%s)
"""
REFUSE = """
(async (program) => {
  const { fromBase64 } = await import("/explorer/bytes.js");
  const { readProgram } = await import("/explorer/program.js");
  try { return readProgram(fromBase64(program)); } catch (error) { return error.message; }
})(%s)
"""


async def test_the_explorer_draws_tasks(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    node = await start_node(NodeSpec("miner", tmp_path / "miner", FLAGS))
    try:
        await await_height(node.rpc_url, 1)
        async with Client(node.rpc_url, wallet=derive_key(DEV_PHRASE)) as client:
            small, dear, large = build_network(), build_network(), build_chain(600)
            ids = [
                await post_program(client, small, 0),
                await post_program(client, dear, 1),
                await post_program(client, large, 0),
                await post_function(client),
            ]
            await await_that("the tasks are in a block", partial(has_empty_pool, client), 60)
        async with open_browser(CHROMIUM, tmp_path / "browser") as page:
            url = f"{node.rpc_url}/explorer/"
            await check_vectors(page, url)
            await check_drawing(page, f"{url}#/job/{ids[0]}", small)
            await check_others(page, url, ids[1:])
            await check_transaction(page, f"{url}#/tx/{ids[0]}")
            assert page.errors == []
    finally:
        await stop_process(node.process)


async def check_transaction(page: Page, url: str) -> None:
    """Check that each input of a posted task has a button to copy it, in place of a list as JSON."""
    await page.open(url)
    await page.wait("document.querySelector('[aria-label=\"Copy: task inputs, number 1\"]')")
    shown = await page.run("[...document.querySelectorAll('main dl')].map((one) => one.innerText).join()")
    assert "{" not in shown
    assert '["' not in shown


def build_network() -> BuiltProgram:
    """Return two layers with a table between them."""
    rng, b = np.random.default_rng(3), ProgramBuilder()
    x = b.input(32, 1024, -64, 63, name="x")
    y = b.matmul(x, b.operand(rng.integers(-64, 64, (128, 1024), np.int8)))
    y = b.clamp(b.mul(y, 5, shift=14), -64, 63)
    y = b.table(y, np.maximum(np.arange(-64, 64), 0)[None], -64)
    y = b.matmul(y, b.operand(rng.integers(-64, 64, (16, 128), np.int8)))
    return b.finish([y, b.max(y)])


def build_chain(nodes: int) -> BuiltProgram:
    """Return a program that is too large to be drawn or listed."""
    b = ProgramBuilder()
    value = b.input(2, 2, 0, 1, name="x")
    for _ in range(nodes):
        value = b.clamp(value, 0, 1)
    return b.finish([value])


async def post_program(client: Client, built: BuiltProgram, missing: int) -> str:
    """Post a program's task, priced by so many units less than it has."""
    cost, program = check_program(built.program).cost, await client.deploy(built)
    spec, given = compute_program_id(built.program), (await client.put_bytes(bytes(32 * 1024))).matrix_id
    assert spec.hex() == program
    return await client.post_task(
        TaskKind.PROGRAM, spec, [given], tickets=cost.tickets - missing, units=cost.units - missing, terms=TERMS
    )


async def post_function(client: Client) -> str:
    module = await client.put_bytes(b"no module, and nobody runs it here")
    spec = FunctionSpec(SPEC_VERSION, module.id, (b"--least", b"<2>"), 64, 2**33, 5000, None)
    file = await client.put_bytes(encode_spec(spec))
    return await client.post_task(TaskKind.FUNCTION, file.matrix_id, [], tickets=0, units=9000, terms=TERMS)


async def has_empty_pool(client: Client) -> bool:
    return (await client.head()).pool == 0


async def check_vectors(page: Page, url: str) -> None:
    """Types, tickets and units of all vectors are those that the node's checker finds."""
    await page.open(url)
    await page.wait("document.querySelector('h1')")
    found = [check_program(read_json(json.dumps(each).encode()).program) for each in json.loads(VECTORS.read_text())]
    assert len(found) == 120
    encoded = [base64.b64encode(msgspec.msgpack.encode(each.program)).decode() for each in found]
    shown = await page.run(READ_PROGRAMS % json.dumps(encoded))
    for each, (types, tickets, units) in zip(found, shown, strict=True):
        assert types == [[type_.rows, type_.cols, str(type_.lo), str(type_.hi)] for type_ in each.results]
        assert (tickets, units) == (each.cost.tickets, each.cost.units)
    assert "a value's interval" in await page.run(REFUSE % json.dumps(base64.b64encode(make_squares()).decode()))


def make_squares() -> bytes:
    """Return a program whose numbers would double their digits with each of many nodes."""
    nodes = [[[3, 0], [number, number]] for number in range(5000)]
    return msgspec.msgpack.encode([1, [[[1, 1, 0, 9], [0]]], nodes, [5000]])


async def check_drawing(page: Page, url: str, built: BuiltProgram) -> None:
    """The drawing has a box for every value, and the page fits a phone, where the drawing scrolls by itself."""
    values = len(built.program.inputs) + len(built.program.nodes)
    for width, height in (DESK, PHONE):
        await page.resize(width, height)
        await page.open("about:blank")
        await page.open(url)
        await page.wait(f"document.querySelectorAll('.graph rect').length === {values}")
        assert await page.run("document.querySelectorAll('#task tbody tr').length") == values
        assert await page.run("document.documentElement.scrollWidth") <= width
    said = await page.run("document.getElementById('task').innerText")
    cost = check_program(built.program).cost
    assert f"{cost.units} units, of which {cost.tickets} are tickets" in said
    assert "The task pays for them." in said
    assert "32 \N{MULTIPLICATION SIGN} 1024, \N{MINUS SIGN}64 .. 63" in said
    assert await page.run("document.querySelectorAll('.graph .product').length") == 2
    assert await page.run("document.querySelectorAll('.graph .output').length") == 2


async def check_others(page: Page, url: str, ids: list[str]) -> None:
    """A price that is too low is told, a large program is listed in part, and a function's spec is shown as text."""
    cheap, large, function = ids
    await page.open(f"{url}#/job/{cheap}")
    await page.wait("document.querySelector('#task .bad')?.textContent.includes('every outcome is wrong')")
    await page.open(f"{url}#/job/{large}")
    await page.wait("document.getElementById('task')?.innerText.includes('101 more values are not listed')")
    assert await page.run("document.querySelectorAll('.graph').length") == 0
    assert "The program has 601 values" in await page.run("document.getElementById('task').innerText")
    await page.open(f"{url}#/job/{function}")
    await page.wait("document.getElementById('task')?.innerText.includes('8\u202f589\u202f934\u202f592')")
    said = await page.run("document.getElementById('task').innerText")
    assert '"--least" "<2>"' in said
    assert "the task's id" in said
