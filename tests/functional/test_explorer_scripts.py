"""Test what the explorer's modules compute, in node.js: numbers, sizes and times as text, and commands to copy."""

import shlex
from pathlib import Path

import pytest

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
