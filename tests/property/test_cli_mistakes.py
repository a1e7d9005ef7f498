"""Any arguments lead to an answer or a readable error, never to a stack trace, and to JSON if JSON was requested."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import structlog
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from inos.cli.main import COMMANDS, app, load_command
from inos.testing import TestChain

LIVING: Final = {"bench", "devnet", "light", "node", "top"}
"""These commands run until they are stopped, or measure; other tests try their flags."""
SLOW: Final = {"--wait", "--timeout", "--depth", "--watch", "--wait-s", "--help"}
DEAD: Final = "http://127.0.0.1:9"
IMPATIENT: Final = {"mesh get": ("--wait", "0")}
"""These commands wait for other nodes if nothing tells them not to, and here no other node exists."""
USES_NODE: Final = {"job watch", "job receipt"}
"""These commands wait for events, so here they ask a node that does not answer."""
TEXTS: Final = (
    "", " ", "-", "0", "1", "-1", "1.5", "1e400", "NaN", "inf", "9" * 40, "0x10", "é€😀", "\udcff", "a" * 5000, "{}",
    "[1", "null", '{"block": "latest"}', "latest", "all", "devnet", "testnet", "00" * 32, "ff" * 32, "dinos1qqqq",
    "chain_head", "chain_getBlock", "http://", "ftp://x", "http://[", "127.0.0.1:1", "20G", "--",
    "nothing/here", "folder", "empty", "noise", "text.json", "x.npy", "w.npy", "cut.npy", "float.npy", "cube.npy",
    "huge.npy", "/dev/null", "/proc/self/mem",
)  # fmt: skip


def list_leaves() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        if name not in LIVING:
            yield from _list_below(load_command(name), name)


def _list_below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(command, typer.core.TyperGroup):
        for name, below in command.commands.items():
            yield from _list_below(below, f"{path} {name}")
    else:
        yield path, command


LEAVES: Final = dict(list_leaves())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Return a folder with files of the wrong kinds, and the address of a node."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "folder").mkdir()
    (folder / "empty").write_bytes(b"")
    (folder / "noise").write_bytes(np.random.default_rng(1).bytes(3000))
    (folder / "text.json").write_text('{"hex": 5, "receipt": [], "seal": null}')
    matrix = np.arange(-32, 32, dtype=np.int8).reshape(4, 16)
    np.save(folder / "x.npy", matrix)
    np.save(folder / "w.npy", matrix[:2])
    np.save(folder / "float.npy", matrix * 0.5)
    np.save(folder / "cube.npy", matrix.reshape(2, 2, 16))
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:-7])
    huge = (folder / "x.npy").read_bytes().replace(b"(4, 16)", b"(4444444444, 16)"[:7].ljust(7))
    (folder / "huge.npy").write_bytes(huge.replace(b"(4444", b"(9999"))
    with TestChain() as chain:
        yield folder, chain.url


@pytest.mark.parametrize("name", LEAVES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mistake_ends_in_a_stack_trace(
    name: str, place: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    folder, url = place
    arguments = data.draw(draw_arguments(LEAVES[name]))
    is_live = name not in USES_NODE and data.draw(st.booleans())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))  # The test chain logs meanwhile.
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        environment = {"HOME": str(folder), "INOS_RPC": url if is_live else DEAD, "COLUMNS": "80"}
        done = CliRunner().invoke(
            app, [*name.split(), *IMPATIENT.get(name, ()), *arguments], input="pw\npw\ny\n", env=environment
        )
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    assert done.exit_code in (0, 1, 2, 130), (arguments, done.output)
    assert "Traceback" not in done.output
    if done.exit_code == 1 and name != "doctor":
        assert "error [" in done.output or '"error"' in done.output, (arguments, done.output)
    if "--json" in arguments and "--" not in arguments and done.exit_code != 130:
        json.loads(done.stdout)


@st.composite
def draw_arguments(draw: st.DrawFn, command: Any) -> list[str]:
    """Return values for required arguments, or for some of them, and some options, in any order."""
    text = st.sampled_from(TEXTS)
    parts: list[list[str]] = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            if draw(st.integers(0, 9)):
                parts.append([draw(text)])
            continue
        option = parameter.opts[-1] if parameter.opts[-1].startswith("--") else parameter.opts[0]
        if option in SLOW or (not parameter.required and draw(st.integers(0, 4))):
            continue
        parts.append([option] if parameter.is_flag else [option, draw(text)])
    if draw(st.booleans()) and any("--json" in parameter.opts for parameter in command.params):
        parts.append(["--json"])
    return [word for part in draw(st.permutations(parts)) for word in part]


def fits_environment(text: str) -> bool:
    """Return True if the encoding of this locale can put the text into an environment variable."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def test_the_environment_is_asked_the_same_way(place: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place[0])
    for variable in ("INOS_RPC", "INOS_DATA_DIR", "INOS_NETWORK"):
        for value in filter(fits_environment, TEXTS):
            environment = {"HOME": str(place[0]), variable: value}
            for typed in (("status",), ("mesh", "status"), ("db", "check"), ("wallet", "list")):
                done = CliRunner().invoke(app, [*typed], env=environment)
                assert done.exception is None or isinstance(done.exception, SystemExit), (typed, value, done.exception)
    assert os.environ.get("HOME") != str(place[0])
