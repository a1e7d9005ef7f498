"""Test what the explorer's modules compute, in node.js: numbers, sizes and times as text, and commands to copy."""

import csv
import io
import random
import shlex
from pathlib import Path
from typing import Any

import pytest

from inos.consensus.records import StateKey
from inos.consensus.statetree import compute_state_root, make_proof
from inos.workers.limits import OFFENCES
from support.javascript import NODE, run_module

pytestmark = pytest.mark.skipif(NODE is None, reason="node.js is not installed")

FORMAT = 'const f = await import("./format.js"); return given.map(([name, ...all]) => f[name](...all));'
FORMATTED = [
    (("count", 0), "0"),
    (("count", 1234567), "1_234_567"),
    (("count", "98765432109876543210"), "98_765_432_109_876_543_210"),
    (("credits", "0"), "0"),
    (("credits", "1"), "0.000000001"),
    (("credits", "1234500000000"), "1_234.5"),
    (("credits", "-1500000000"), "\N{MINUS SIGN}1.5"),
    (("cutCredits", "12345678901"), "12.345"),
    (("cutCredits", "1999999999"), "1.999"),
    (("cutCredits", "1000400000"), "1"),
    (("cutCredits", "1234"), "0.000001"),
    (("bytes", 1023), "1_023_bytes"),
    (("bytes", 1536), "1.5_KiB"),
    (("bytes", 50 * 2**20), "50_MiB"),
    (("percent", 0.005), "0.5_%"),
    (("percent", 0.5), "50_%"),
    (("seconds", 1500), "1.5_s"),
    (("duration", 0), "0_s"),
    (("duration", 200_000), "3_min 20_s"),
    (("duration", 90_061_000), "1_d 1_h"),
    (("duration", 86_400_000), "1_d"),
    (("age", 0, 89_000), "89_s ago"),
    (("age", 0, 100_000), "2_min ago"),
    (("age", 0, 10 * 86_400_000), "10_days ago"),
    (("age", 5, 0), "0_s ago"),
    (("shorten", 12345), "12.3_k"),
    (("shorten", 0.00123), "0.00123"),
    (("shorten", 0.0000015), "1.5_µ"),
    (("shorten", 5e-7), "500_n"),
    (("shorten", 2e-10), "200_p"),
    (("shorten", -2e-9), "-2_n"),
    (("shorten", 0), "0"),
]
"""Calls and what they return; an underscore stands for a narrow space at which no line is broken."""


def test_numbers_sizes_and_times_are_written_as_text(tmp_path: Path) -> None:
    found = run_module(tmp_path, FORMAT, [call for call, _ in FORMATTED])
    assert found == [text.replace("_", "\u202f") for _, text in FORMATTED]


def test_a_call_to_copy_survives_the_shell(tmp_path: Path) -> None:
    request = '{"method": "x", "params": {"text": "it\'s $HOME `here` \\\\"}}'
    script = 'const { makeCommand } = await import("./calls.js"); return makeCommand(given, "http://127.0.0.1:1/");'
    command = run_module(tmp_path, script, request)
    assert shlex.split(command) == [
        *("curl", "-s", "http://127.0.0.1:1/", "-H", "Content-Type: application/json", "-d"),
        request,
    ]


SCALE = 'const s = await import("./scale.js"); return given.map(([name, ...all]) => s[name](...all));'
POINTS = [[1, 0], [4, 0], [10, 0]]
HOUR = 3_600_000
SCALED = [
    (("chooseTicks", 0, 100), [0, 50, 100]),
    (("chooseTicks", 0, 7), [0, 2, 4, 6, 8]),
    (("chooseTicks", 0, 0), [0, 0.5]),
    (("chooseTicks", 5, 5), [4, 6]),
    (("chooseTicks", 0, 0.3), [0, 0.1, 0.2, 0.3]),
    (("chooseTicks", -3, 3), [-4, -2, 0, 2, 4]),
    (("chooseTicks", 1_000_000, 1_008_300), [1_000_000, 1_005_000, 1_010_000]),
    (("chooseTimes", 10 * HOUR + 1, 14 * HOUR, 4), [11 * HOUR, 12 * HOUR, 13 * HOUR, 14 * HOUR]),
    (("chooseTimes", 0, 10_000, 2), [0, 5_000, 10_000]),
    (("findNearest", POINTS, 0), 0),
    (("findNearest", POINTS, 2.6), 1),
    (("findNearest", POINTS, 7), 1),
    (("findNearest", POINTS, 7.1), 2),
    (("findNearest", POINTS, 99), 2),
    (("findNearest", [], 5), -1),
    (("describeTime", 0, 60_000), "00:00:00"),
    (("describeTime", HOUR, HOUR), "01:00"),
    (("describeTime", 40 * 24 * HOUR, 90 * 24 * HOUR), "02-10"),
    (("describeTime", 40 * 24 * HOUR, 900 * 24 * HOUR), "1970-02-10"),
]


def test_axes_have_round_marks_and_the_nearest_point_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert run_module(tmp_path, SCALE, [call for call, _ in SCALED]) == [found for _, found in SCALED]


def test_tables_are_saved_as_files_that_spreadsheets_read(tmp_path: Path) -> None:
    rows = [["a", 'say "x"', "1,5"], [-5, "-2.50", None], ["=cmd()", "-cmd", "@x"], ["two\nlines", "", 0]]
    script = 'const { makeCsv } = await import("./csv.js"); return makeCsv(given);'
    text = run_module(tmp_path, script, rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", 'say "x"', "1,5"], ["-5", "-2.50", ""], ["'=cmd()", "'-cmd", "'@x"], ["two\nlines", "", "0"]
    ]  # fmt: skip
    script = 'const { plainCredits } = await import("./csv.js"); return given.map(plainCredits);'
    assert run_module(tmp_path, script, ["0", "-1", "1500000000", "-98765432109876543210"]) == [
        *("0.000000000", "-0.000000001", "1.500000000"),
        "-98765432109.876543210",
    ]


def test_luck_is_told_from_one_expected_block_on(tmp_path: Path) -> None:
    script = 'const { computeLuck } = await import("./pages/ranking.js"); return given.map((o) => computeLuck(...o));'
    assert run_module(tmp_path, script, [[3, 2000, 1000], [0, 1000, 1000], [9, 999, 1000], [9, 5, 0]]) == [
        *(1.5, 0, None),
        None,
    ]


PROVE = 'const { computeStateRoot } = await import("./stateproof.js"); const { toHex } = await import("./bytes.js");'
COMPUTE = "return given.map((proof) => { const root = computeStateRoot(proof); return root && toHex(root); });"


def render_proof(records: dict[StateKey, bytes], key: StateKey) -> dict[str, Any]:
    """Return a proof as the RPC sends it."""
    proof, value = make_proof(records, key), records.get(key)
    return {
        "key": key.hex(),
        "value": None if value is None else value.hex(),
        "siblings": [each.hex() for each in proof.siblings],
        "other_path": None if proof.other is None else proof.other.path.hex(),
        "other_value": None if proof.other is None else proof.other.value.hex(),
    }


def test_state_proofs_lead_to_the_root_of_the_reference(tmp_path: Path) -> None:
    rng = random.Random(6)
    keys = [StateKey(b"\x01" + rng.randbytes(20)) for _ in range(60)]
    records = {key: rng.randbytes(rng.randrange(1, 90)) for key in keys[:40]}
    root = compute_state_root(records).hex()
    proofs = [render_proof(records, key) for key in keys]
    assert {proof["other_path"] is None for proof in proofs[40:]} == {True, False}
    empty = render_proof({}, keys[0])
    assert run_module(tmp_path, PROVE + COMPUTE, [*proofs, empty]) == [root] * 60 + ["00" * 32]
    present, absent = proofs[0], next(each for each in proofs[40:] if each["other_path"] is not None)
    wrong = [
        present | {"value": present["value"][:-2] + ("01" if present["value"].endswith("00") else "00")},
        present | {"siblings": present["siblings"][::-1]},
        absent | {"key": present["key"]},
        absent | {"value": "01"},
        present | {"value": None},
    ]
    assert root not in run_module(tmp_path, PROVE + COMPUTE, wrong)


def test_every_offence_of_a_worker_has_words(tmp_path: Path) -> None:
    found = run_module(tmp_path, 'return (await import("./offences.js")).OFFENCES;')
    assert list(found) == list(OFFENCES)
    assert all(found.values())
