"""Test how the explorer reads a published run of training: in node.js against forged ones, and in headless Chromium."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inos.client.client import Client
from inos.learn.publishing import publish_run
from inos.learn.run import Run
from inos.learn.spec import RunSpec, encode
from inos.learn.training import train_run
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.matrices import compute_file_shape
from inos.work.files import compute_file_id
from support.browser import Page, find_chromium, open_browser
from support.explorer_page import search
from support.javascript import NODE, run_module
from support.published_runs import FakeMesh, make_lines, publish_lines
from support.training_runs import make_run

CHROMIUM = find_chromium()
FLAGS = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--explorer")
PHONE, DESK = (390, 844), (1400, 900)
READS = 3
READ = """
const { findTasks, listTasks, openRun, readBack } = await import("./training.js");
const files = given.files, answers = {
  mesh_getRows: ({ id, first = 0, count }) => {
    if (!files[id]) return { error: { message: `matrix ${id} is not known`, data: { code: "matrix-unknown" } } };
    const bytes = Buffer.from(files[id].data, "base64"), { rows, cols, dtype } = files[id];
    const data = bytes.subarray(first * 1024, (first + count) * 1024).toString("base64");
    return { result: { dtype, rows, cols, size: bytes.length, data } };
  },
  job_list: ({ after }) => ({ result: given.pages[after ?? 0] }),
};
globalThis.fetch = async (url, { body }) => {
  const { method, params } = JSON.parse(body);
  return { json: async () => answers[method](params) };
};
const read = async (id) => {
  const counts = [];
  let run = null;
  try {
    run = await openRun(id);
    for (let n = 0; n < given.reads && !run.isWhole; n++) {
      await readBack(run);
      counts.push(run.steps.length);
    }
    return { counts, ...run };
  } catch (error) {
    return { counts, steps: run?.steps ?? [], error: error.message };
  }
};
const found = [];
for (const id of given.ids) found.push(await read(id));
"""
ANSWER = """
(() => {
  const real = window.fetch, answer = { json: async () => ({ result: %s }) };
  window.fetch = (url, request) => (request.body.includes("job_list") ? Promise.resolve(answer) : real(url, request));
})()
"""
FAIL = """
(() => {
  const real = window.fetch;
  window.fetch = () => { window.fetch = real; return Promise.reject(new Error("down")); };
})()
"""
needs_node = pytest.mark.skipif(NODE is None, reason="node.js is not installed")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"
)


def read_runs(folder: Path, mesh: FakeMesh, ids: list[str], script: str = "", pages: Any = ()) -> Any:
    """Return what the explorer reads of runs in a mesh, or the value of a script that has them as `found`."""
    files = {}
    for name, data in mesh.files.items():
        rows, cols = compute_file_shape(len(data))
        files[name] = {"dtype": "bytes", "rows": rows, "cols": cols, "data": base64.b64encode(data).decode()}
    given = {"files": files, "ids": ids, "reads": READS, "pages": pages}
    return run_module(folder, READ + (script or "return found;"), given)


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    return make_run(tmp_path / "spec", 2400).spec


@needs_node
def test_a_run_is_read_from_its_last_record_to_its_spec(tmp_path: Path) -> None:
    run, mesh = train_run(make_run(tmp_path / "run")), FakeMesh()
    empty = make_run(tmp_path / "empty")
    names = [publish_run(each, mesh) for each in (run, empty)]  # type: ignore[arg-type]
    whole, none = read_runs(tmp_path / "js", mesh, names)
    assert [step["loss"] for step in whole["steps"]] == run.list_losses()
    assert [step["share"] for step in whole["steps"]] == [each.right / 16 for each in run.records]
    assert whole["steps"][-1]["id"] == run.head
    assert whole["spec"] | {"seed": "3", "size": 8, "optimiser": "sgd", "terms": 16} == whole["spec"]
    assert [each["isWhole"] for each in (whole, none)] == [True, True]
    assert none["steps"] == []


@needs_node
@pytest.mark.timeout(120)
def test_a_long_run_is_read_in_parts_and_each_is_bounded(tmp_path: Path, spec: RunSpec) -> None:
    mesh = FakeMesh()
    long = publish_lines(mesh, spec, make_lines(spec, [{}] * 2300))
    wide = msgspec.structs.replace(spec, shards=2000)
    heavy = publish_lines(mesh, wide, make_lines(wide, [{}] * 8))
    wider = msgspec.structs.replace(spec, shards=8000)
    heaviest = publish_lines(mesh, wider, make_lines(wider, [{}] * 2))
    found = read_runs(tmp_path / "js", mesh, [long, heavy, heaviest], "return found.map(({ steps, ...rest }) => rest);")
    assert found[0]["counts"] == [1000, 2000, 2300]
    assert found[0]["isWhole"]
    assert found[1]["counts"] == [3, 6, 8], "a read fetches at most 1 MiB"
    assert "longer than 1024 KiB" in found[2]["error"]


@needs_node
def test_forged_and_damaged_runs_are_told_by_what_is_wrong(tmp_path: Path, spec: RunSpec) -> None:
    mesh, cases = FakeMesh(), []
    good = make_lines(spec, [{}] * 4)
    other = msgspec.structs.replace(spec, seed=9)

    def add(text: str, name: str, kept: int = 0) -> None:
        cases.append((text, name, kept))

    def add_lines(text: str, changes: list[dict[str, Any]], kept: int = 0) -> None:
        add(text, publish_lines(mesh, spec, make_lines(spec, changes)), kept)

    add("is no id", "0x12")
    add(f"The manifest of a training run, {'ab' * 32}, cannot be fetched", "ab" * 32)
    add("no manifest of a training run", mesh.put_bytes(b'{"version":1}').id.hex())
    add("no manifest of a training run", mesh.put_bytes(b"[" * 500).id.hex())
    add("no manifest of a training run", mesh.put_bytes(b"\xff").id.hex())
    add("no manifest of a training run", mesh.put_bytes(b"null").id.hex())
    add("at most 512 bytes", mesh.put_bytes(bytes(600)).id.hex())
    add("The run's spec, ", publish_lines(mesh, spec, good, spec="cd" * 32))
    add("the run's spec that is none", publish_lines(mesh, spec, good, spec=mesh.put_bytes(good[0]).id.hex()))
    add("The file of the run's records, ", publish_lines(mesh, spec, good, records="cd" * 32))
    add("not the one that the manifest names", publish_lines(mesh, spec, good, head="cd" * 32))
    add("the manifest names a last one", publish_lines(mesh, spec, [], head="cd" * 32))
    for lines, text, kept in [
        (good[1:], "begins with step 2", 3),
        ([*good[:2], *good[3:]], "before step 4 is not the one that this step names", 1),
        ([good[1], good[0], *good[2:]], "before step 3 is not the one", 2),
        ([good[0].replace(b"4096", b"4097"), *good[1:]], "before step 2 is not the one", 3),
        ([good[0], *good], "before step 1 is not the one", 4),
    ]:
        add(text, publish_lines(mesh, spec, lines), kept)
    torn = mesh.put_bytes(b"".join([line + b"\n" for line in good]) + good[0][:9]).id.hex()
    add("ends within a line", publish_lines(mesh, spec, good, records=torn))
    add("is of another run", publish_lines(mesh, spec, make_lines(other, [{}] * 2)))
    add("does not name the run's spec", publish_lines(mesh, spec, make_lines(spec, [{"parent": "cd" * 32}])), 1)
    add_lines("before step 3 is of step 1", [{}, {"step": 1}, {}], 1)
    for absurd in (
        {"loss": 1 << 60}, {"loss": 0.5}, {"loss": None}, {"right": -1}, {"right": 17}, {"step": 1 << 40}, {"step": 0},
        {"step": 2401}, {"shards": []}, {"shards": {}}, {"weights": "x"}, {"parent": None}, {"more": 1}, {"run": []},
    ):  # fmt: skip
        add_lines("no record of a step of this run, or has numbers that no step gives: the one before step 3.",
                  [{}, absurd, {}], 1)  # fmt: skip
    spaced = good[0].replace(b",", b", ")
    add("no record of a step", publish_lines(mesh, spec, [spaced]))
    for wrong in ({"version": 2}, {"steps": 0}, {"terms": 1 << 40}, {"loss": ["mse"]}, {"optimiser": None},
                  {"parameters": [{"sizes": [1 << 31] * 3}]}, {"weights": "x"}):  # fmt: skip
        false = mesh.put_bytes(msgspec.json.encode(msgspec.to_builtins(spec) | wrong)).id.hex()
        add("the run's spec that is none", publish_lines(mesh, spec, good, spec=false))

    found = read_runs(tmp_path / "js", mesh, [name for _, name, _ in cases])
    for (text, _, kept), each in zip(cases, found, strict=True):
        assert text in each["error"]
        assert len(each["steps"]) == kept, each["error"]


@needs_node
def test_a_node_that_sends_other_bytes_is_told(tmp_path: Path, spec: RunSpec) -> None:
    mesh = FakeMesh()
    lines = make_lines(spec, [{}] * 3)
    name = publish_lines(mesh, spec, lines)
    mesh.files[name] = mesh.files[name].replace(b'"head":"', b'"head":"0')[:-3] + b'"}'
    (found,) = read_runs(tmp_path / "one", mesh, [name])
    assert "damaged" in found["error"]
    name = publish_lines(mesh, spec, lines)
    specs = compute_file_id(encode(spec)).hex()
    mesh.files[specs] = mesh.files[specs].replace(b'"seed":3', b'"seed":4')
    (found,) = read_runs(tmp_path / "two", mesh, [name])
    assert "The run's spec is damaged" in found["error"]


@needs_node
def test_tasks_belong_to_steps_by_program_and_outputs(tmp_path: Path, spec: RunSpec) -> None:
    mesh = FakeMesh()
    name = publish_lines(mesh, spec, make_lines(spec, [{}] * 2))
    outputs = [[f"{2:064x}", f"{0:064x}"], [f"{2:064x}", f"{2:064x}"], None]

    def make_job(id: str, program: str, n: int) -> dict[str, Any]:
        return {"id": id, "task": {"spec": program}, "outputs": outputs[n]}

    jobs = [
        make_job("late", spec.gradient, 0), make_job("shard", spec.gradient, 0), make_job("update", spec.update, 1),
        make_job("other", "ab" * 32, 0), make_job("open", spec.update, 2),
        {"id": "product", "task": None, "outputs": None},
    ]  # fmt: skip
    pages = [{"jobs": jobs[:1], "next": 1}, {"jobs": jobs[1:], "next": None}]
    script = """
    const { tasks, isAll } = await findTasks(found[0].spec);
    return [isAll, ...found[0].steps.map((step) => listTasks(found[0].spec, step, tasks).map(({ id }) => id))];
    """
    assert read_runs(tmp_path / "js", mesh, [name], script, pages) == [True, [], ["shard", "update"]]
    endless = [{"jobs": [], "next": 0}]
    assert read_runs(tmp_path / "endless", mesh, [name], script, endless) == [False, [], []]


@needs_chromium
@pytest.mark.timeout(240)
async def test_the_explorer_draws_the_loss_of_a_run(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    run, mesh = train_run(make_run(tmp_path / "run")), FakeMesh()
    name = publish_run(run, mesh)  # type: ignore[arg-type]
    long = make_run(tmp_path / "long", 2400).spec
    names = [name, publish_lines(mesh, long, make_lines(long, [{}] * 1200))]
    node = await start_node(NodeSpec("node", tmp_path / "node", FLAGS))
    try:
        async with Client(node.rpc_url) as client:
            for data in mesh.files.values():
                await client.put_bytes(data)
        async with open_browser(CHROMIUM, tmp_path / "browser") as page:
            url = f"{node.rpc_url}/explorer/"
            await check_page(page, f"{url}#/training/{name}", run.list_losses()[-1])
            await check_older_steps(page, f"{url}#/training/{names[1]}")
            await check_ways_to_it(page, url, name)
            await check_tasks(page, f"{url}#/training/{name}", run)
            await page.open(f"{url}#/training/{run.spec.weights}")
            await page.wait(
                "document.querySelector('main [role=alert]')?.textContent.includes('manifest of a training run')"
            )
            assert page.errors == []
    finally:
        await stop_process(node.process)


async def check_page(page: Page, url: str, loss: float) -> None:
    """The page shows two curves, every step and its check, fits a phone, and says values at the keys' places."""
    for width, height in (DESK, PHONE):
        await page.resize(width, height)
        await page.open("about:blank")
        await page.open(url)
        await page.wait("document.getElementById('tasks')?.textContent.includes('none on this chain')")
        await page.wait("document.querySelectorAll('.chart path.line').length === 2")
        assert await page.run("document.querySelectorAll('tbody tr').length") == 6
        assert "all 6 records" in await page.run("document.getElementById('verdict').textContent")
        assert await page.run("document.documentElement.scrollWidth") <= width
    assert f"loss {loss:#.4g}" in await page.run("document.querySelector('main').innerText")
    await page.run("document.querySelector('.frame').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))")
    assert (await page.run("document.querySelector('.chart .value').textContent")).startswith("step 1: ")
    assert "mesh_getRows" in await page.run("document.getElementById('calls').textContent")


async def check_older_steps(page: Page, url: str) -> None:
    """A long run is shown from its end, in ranges, and the rest of it at a click."""
    await page.open(url)
    await page.wait("document.getElementById('older')")
    assert "the last 1 000 are read" in (await page.run("document.querySelector('main').innerText")).replace(
        "\u202f", " "
    )
    await page.run(FAIL)
    await page.run("document.getElementById('older').click()")
    await page.wait("document.querySelector('.problem')?.textContent.includes('does not answer')")
    await page.run("document.getElementById('older').click()")
    await page.wait("document.getElementById('verdict').textContent.includes('all 1')")
    assert await page.run("document.getElementById('older')") is None
    await page.run("document.querySelector('.ranges button').click()")
    await page.wait("document.querySelector('.chart path.line')")
    await page.run("document.querySelector('.frame').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))")
    place = await page.run("document.querySelector('.chart .value').textContent")
    assert place.replace("\u202f", " ").startswith("step 1 101: ")


async def check_tasks(page: Page, url: str, run: Run) -> None:
    """Tasks that delivered what a step names are linked beside it, and their costs are summed."""
    spec, record = run.spec, run.records[-1]
    common = {"state": "settled", "reward": "1500000000", "burned": "250000000", "worker": "dinos1"}
    shard = [record.shards[0].gradient, record.shards[0].metrics]
    jobs = [
        {"id": "aa" * 32, "task": {"spec": spec.update}, "outputs": [record.weights, record.state], **common},
        {"id": "bb" * 32, "task": {"spec": spec.gradient}, "outputs": shard, **common},
    ]
    await page.open(url.replace("training", "blocks"))
    await page.wait("document.querySelector('tbody tr')")
    await page.run(ANSWER % json.dumps({"jobs": jobs, "next": None}))
    await page.run(f"location.hash = '#/training/{url.rpartition('/')[2]}'")
    await page.wait("document.getElementById('tasks')?.textContent.includes('2 for 18 parts of all steps, 2 of them')")
    assert "by 1 worker: dinos1. They cost 3.5 credits" in await page.run(
        "document.getElementById('tasks').textContent"
    )
    links = "[...document.querySelectorAll('tbody a')].map((one) => one.title)"
    found = await page.run(links)
    assert found[:3] == [record.weights, "bb" * 32, "aa" * 32]


async def check_ways_to_it(page: Page, url: str, name: str) -> None:
    """The search leads to the page, and so does the manifest's file."""
    await page.open(f"{url}#/blocks")
    await page.wait("document.getElementById('main').dataset.page === 'blocks'")
    await search(page, name)
    await page.wait(f"location.hash === '#/training/{name}'")
    await page.open(f"{url}#/matrix/{name}")
    await page.wait("document.getElementById('fetch')")
    await page.run("document.getElementById('fetch').click()")
    await page.wait("document.getElementById('training')")
