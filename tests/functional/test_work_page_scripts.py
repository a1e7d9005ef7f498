"""Test what the page's modules do with a piece, in node.js without a browser: runs, parts of W, and rows in order."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from inos.mesh.runs import compute_run_leaves
from inos.primitives.blocks import compute_anchor
from inos.primitives.matrices import DType, MatrixRef, compute_matrix_id
from inos.primitives.units import Hash
from inos.work import Operand
from inos.work.backends.wasm import load_module
from inos.work.strips import StripTree
from inos.workers.filler import make_operands
from inos.workers.messages import Filler, WorkHeader, make_header
from inos.workers.server.runs import count_runs, read_run
from support.documents import ROOT
from support.javascript import NODE, run_module

pytestmark = pytest.mark.skipif(NODE is None, reason="node.js is not installed")
VECTORS = ROOT / "tests" / "vectors" / "workers.json"
READ = """
const { fromBase64, fromHex, toHex } = await import("./bytes.js");
const { Operand, RunHasher, climb } = await import("./work/operands.js");
const module = new WebAssembly.Module(fromBase64(given.module));
const readRef = ([id, rows, cols, root]) => ({ id: fromHex(id), rows, cols, root: fromHex(root) });
const readRun = ({ index, data, path }) => [index, fromBase64(data), path.map(fromHex)];
"""


def give(**values: Any) -> dict[str, Any]:
    return {"module": base64.b64encode(load_module()).decode(), **values}


def show_ref(ref: MatrixRef) -> list[Any]:
    return [ref.id.hex(), ref.rows, ref.cols, ref.root.hex()]


def show_run(operand: Operand, index: int) -> dict[str, Any]:
    data, path = read_run(operand, index)
    return {"index": index, "data": base64.b64encode(data).decode(), "path": [each.hex() for each in path]}


MULTIPLY = (
    READ
    + """
const { PieceKernel } = await import("./work/piecekernel.js");
const hasher = new RunHasher(module);
const [x, w] = given.refs.map((ref, at) => {
  const operand = new Operand(readRef(ref), hasher);
  for (const run of given.runs[at]) operand.add(...readRun(run));
  return operand;
});
const { first, last, anchor } = given, digests = {}, parts = [], target = new Uint8Array(32).fill(255);
for (const [firstW, lastW] of given.parts) {
  const kernel = new PieceKernel(module), rowsW = Math.min(16 * lastW, w.ref.rows) - 16 * firstW;
  kernel.open({ name: "W", firstW, rowsW, cols: w.ref.cols }, w.cut(firstW, lastW));
  kernel.start([x.ref.id, w.ref.id], fromHex(anchor), target);
  kernel.placeX(first, Math.min(16 * last, x.ref.rows) - 16 * first, x.cut(first, last));
  for (let panel = 0; panel < kernel.panels; panel++) {
    for (const { i, j, p, digest } of kernel.mine(first, last, panel)) digests[[i, j, p]] = toHex(digest);
  }
  parts.push([...new Int32Array(kernel.readRows().buffer)]);
}
return { digests, parts, needed: x.listRuns(first, last) };
"""
)


def test_the_vectors_piece_is_multiplied_in_two_parts_of_w(tmp_path: Any) -> None:
    vector = json.loads(VECTORS.read_text("utf-8"))["piece"]
    operands = make_operands(Filler(bytes.fromhex(vector["seed"]), 700, 40, 1100))
    x_ref, w_ref, first, last = vector["work"][1:5]
    header = WorkHeader(*(bytes.fromhex(each) if isinstance(each, str) else each for each in vector["header"]))
    found = run_module(
        tmp_path,
        MULTIPLY,
        give(
            refs=[x_ref, w_ref],
            runs=[[show_run(each, index) for index in range(count_runs(each))] for each in operands],
            first=first,
            last=last,
            parts=[(0, 1), (1, 3)],
            anchor=compute_anchor(make_header(header, int(vector["nonce"]))).hex(),
        ),
    )
    assert found["needed"] == [0, 1]
    assert found["digests"] == vector["digests"]
    rows = np.hstack([np.array(part, "<i4").reshape(16 * (last - first), -1) for part in found["parts"]])
    assert rows[:2].tolist() == vector["first_rows"]
    assert blake3(rows.tobytes()).hexdigest() == vector["rows_hash"]


ADD = (
    READ
    + """
return given.cases.map(({ ref, run }) => {
  try {
    const operand = new Operand(readRef(ref), new RunHasher(module));
    operand.add(...readRun(run));
    return "";
  } catch (error) { return error.message; }
});
"""
)


def make_bad_matrix(rows: int, cols: int, at: int, value: int) -> dict[str, Any]:
    """Return a matrix of one run whose tree is right, although byte `at` of its strips may not be `value`."""
    data = bytearray(-(-rows // 16) * -(-cols // 1024) * 16_384)
    data[at] = value
    root = StripTree(compute_run_leaves(data)).root
    ref = MatrixRef(compute_matrix_id(DType.INT7, rows, cols, root), rows, cols, root)
    return {"ref": show_ref(ref), "run": {"index": 0, "data": base64.b64encode(data).decode(), "path": []}}


def test_a_run_that_is_not_the_matrix_s_is_refused(tmp_path: Any) -> None:
    x, _ = make_operands(Filler(bytes(32), 700, 16, 1100))
    ref, run = show_ref(x.ref), show_run(x, 1)
    data = bytearray(base64.b64decode(run["data"]))
    data[5] ^= 1
    cases = [
        {"ref": ref, "run": run},
        {"ref": [ref[0], 701, *ref[2:]], "run": run},
        {"ref": [*ref[:3], bytes(32).hex()], "run": run},
        {"ref": ref, "run": run | {"data": base64.b64encode(data).decode()}},
        {"ref": ref, "run": run | {"index": 0}},
        {"ref": ref, "run": run | {"path": [*run["path"], run["path"][0]]}},
        {"ref": ref, "run": run | {"path": run["path"][:-1]}},
        make_bad_matrix(20, 1100, 0, 63),
        make_bad_matrix(20, 1100, 0, 64),
        make_bad_matrix(20, 1100, 16_384 + 76, 1),  # column 1100 of the second panel
        make_bad_matrix(20, 1100, 2 * 16_384 + 4 * 1024, 1),  # row 20
    ]
    found = run_module(tmp_path, ADD, give(cases=cases))
    reasons = ["", "another id", "another id", "does not lead", "has ", "wrong length", "wrong length"]
    reasons += ["", "beyond -64", "is not zero beyond", "is not zero beyond"]
    assert len(found) == len(reasons)
    for reason, message in zip(reasons, found, strict=True):
        assert reason in message if reason else message == "", (reason, message)


CLIMB = READ + "return given.cases.map(([n, i, count, path]) => toHex(climb(fromHex(n), i, count, path.map(fromHex))));"


def test_paths_of_trees_of_any_size_lead_to_their_roots(tmp_path: Any) -> None:
    cases, roots = [], []
    for count in (*range(1, 20), 63, 64, 65):
        leaves = [Hash(blake3(bytes([count, at])).digest()) for at in range(count)]
        tree = StripTree(leaves)
        for at in range(count):
            cases.append([leaves[at].hex(), at, count, [each.hex() for each in tree.compute_path(at)]])
            roots.append(tree.root.hex())
    assert run_module(tmp_path, CLIMB, give(cases=cases)) == roots


SEND = (
    READ
    + """
const { Pieces, chooseRoom } = await import("./work/pieces.js");
const { decode } = await import("./bytes.js");
const threads = [0, 1].map(() => ({ said: [], postMessage(message) { this.said.push(message); } }));
const crew = { threads }, sent = [];
let buffered = 0, isFinished = false;
const port = {
  send: (bytes) => {
    const message = decode(bytes);
    sent.push(message);
    if (message[0] === 4) buffered += message[3].length;
  },
  getBuffered: () => buffered,
  finishPiece: () => { isFinished = true; return new Promise(() => {}); },
};
const pieces = new Pieces({ module, room: 2 ** 30, crew, onChange: () => {} });
const [x, w] = given.refs.map(readRef);
pieces.take({ number: 2, target: new Uint8Array(32), piece: { x, w, first: 0, last: 16, wantsRows: true } }, port);
const asked = sent.map(([tag, , index]) => [tag, index]);
for (const [at, ref] of [x, w].entries()) {
  for (const run of given.runs[at]) {
    const [index, data, path] = readRun(run);
    pieces.addRun({ id: ref.id, index, data, path });
  }
}
const kinds = threads.map(({ said }) => said.map(({ kind }) => kind));
const answer = (thread, first, byte) => {
  const { part, serial } = thread.said.filter(({ kind }) => kind === "piece").at(-1);
  crew.onPiece(thread, { kind: "rows", serial, first, rows: new Uint8Array(4 * 128 * part.rowsW).fill(byte) });
};
sent.length = 0;
answer(threads[0], 8, 3); answer(threads[0], 0, 1); answer(threads[1], 8, 4);
const early = sent.length;
answer(threads[1], 0, 2);
const blocked = [sent.length, isFinished];
for (let turn = 0; turn < 20 && !isFinished; turn++) { buffered = 0; pieces.pump(); }
pieces.end();
const rows = sent.map(([tag, number, offset, data]) => [tag, number, offset, data.length, data[0], data.at(-1)]);
const rooms = [chooseRoom({ deviceMemory: 8 }), chooseRoom({}), chooseRoom({ connection: { saveData: true } })];
return { asked, kinds, early, blocked, isFinished, rows, rooms };
"""
)


def test_rows_go_in_order_and_no_faster_than_the_socket_takes_them(tmp_path: Any) -> None:
    """256 rows of 4096 numbers are 4 MiB; the socket takes one MiB at a time, and two threads have half of W each."""
    operands = make_operands(Filler(bytes(32), 256, 4096, 64))
    refs = [show_ref(each.ref) for each in operands]
    runs = [[show_run(each, index) for index in range(count_runs(each))] for each in operands]
    found = run_module(tmp_path, SEND, give(refs=refs, runs=runs))
    assert found["asked"] == [[5, 0], *[[5, index] for index in range(4)]]
    assert found["kinds"] == [["piece", "strips", "strips"]] * 2
    assert found["early"] == 0, "rows were sent before those above them"
    assert found["blocked"] == [4, False]
    assert found["isFinished"]
    assert [row[:4] for row in found["rows"]] == [[4, 2, at * 2**18, 2**18] for at in range(16)]
    assert [row[4:] for row in found["rows"]] == [[1, 2]] * 8 + [[3, 4]] * 8
    assert found["rooms"] == [2**29, 2**27, 0]
