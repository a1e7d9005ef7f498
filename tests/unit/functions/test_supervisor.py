"""The parent's side: what it does with a child that fails, lies, hangs, or takes too much."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from inos.functions import HostFailed, supervisor
from inos.functions.frames import encode_frame
from inos.functions.supervisor import Allowance, ask_child, read_resident_bytes
from inos.work import Stopped
from support.commands import find_processes_naming
from support.functions import build
from support.walls import HAS_LANDLOCK, HAS_SECCOMP

ENOUGH = Allowance(60.0, 2**29, 2**20)
FRAME = "import json, os, struct, sys, time\n"


@pytest.fixture
def _as_child(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(supervisor, "_START", FRAME + request.param)


def fail(allowance: Allowance = ENOUGH, message: bytes = b"") -> HostFailed:
    with pytest.raises(HostFailed) as failed:
        ask_child([message], allowance)
    return failed.value


def answer(text: str) -> str:
    """Return the code of a child that answers this header without parts."""
    return f"head = b'{text}'\nos.write(1, struct.pack('<I', len(head)) + head)\n"


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize("_as_child", [answer('{"x": 1, "parts": []}')], indirect=True)
def test_an_answer_is_returned_and_the_process_is_gone() -> None:
    assert ask_child(encode_frame({}, b"ignored" * 10**6), ENOUGH) == ({"x": 1}, [])
    assert not find_processes_naming(FRAME[:30])


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize(
    ("_as_child", "code", "words"),
    [
        ("sys.exit(3)", "function-killed", "exit code 3"),
        ("raise SystemError('broken engine')", "function-killed", "broken engine"),
        ("os.kill(os.getpid(), 9)", "function-killed", "signal 9"),
        ("os.abort()", "function-killed", "signal 6"),
        ("os.write(1, b'no frame at all')", "function-host", "cannot be read"),
        ("pass", "function-host", "cannot be read"),
        (answer('{"failed": "no engine", "parts": []}'), "function-host", "no engine"),
        ("while True: os.write(1, bytes(65536))", "function-host", "longer than it may be"),
        ("import resource; resource.setrlimit(0, (1, 1))\nwhile True: pass", "function-killed", "signal 9"),
        ("import signal; os.kill(os.getpid(), signal.SIGXCPU)", "function-time", "more than 60 seconds"),
    ],
    indirect=["_as_child"],
)
def test_a_child_that_fails_is_void(code: str, words: str) -> None:
    error = fail()
    assert (error.code, words in error.message) == (code, True), error


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize("_as_child", ["time.sleep(600)", "os.close(1); os.close(2); time.sleep(600)"], indirect=True)
def test_a_child_that_hangs_is_killed() -> None:
    began = time.monotonic()
    assert fail(Allowance(1.0, 2**29, 2**20)).code == "function-time"
    assert time.monotonic() - began < 20
    assert not find_processes_naming(FRAME[:30])


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize("_as_child", ["time.sleep(600)"], indirect=True)
def test_a_child_that_reads_nothing_is_killed() -> None:
    """The message is far longer than a pipe holds."""
    assert fail(Allowance(1.0, 2**29, 2**20), bytes(10**7)).code == "function-time"


@pytest.mark.usefixtures("_as_child")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is watched where there is /proc")
@pytest.mark.parametrize(
    "_as_child", ["a = []\nwhile True: a.append(bytearray(2**24)); time.sleep(0.01)"], indirect=True
)
def test_a_child_that_takes_too_much_memory_is_killed() -> None:
    error = fail(Allowance(60.0, 2**27, 2**20))
    assert (error.code, "128 MiB are allowed" in error.message) == ("function-memory", True)


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize("_as_child", ["time.sleep(600)"], indirect=True)
def test_a_stop_kills_the_child() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        ask_child([b""], ENOUGH, stop)
    assert not find_processes_naming(FRAME[:30])
    with pytest.raises(Stopped):
        ask_child([b""], ENOUGH, stop)


@pytest.mark.usefixtures("_as_child")
@pytest.mark.parametrize(
    "_as_child",
    ["fds = os.listdir('/proc/self/fd')\n" + "print(len(fds), dict(os.environ), file=sys.stderr); sys.exit(1)"],
    indirect=True,
)
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_child_has_three_descriptors_and_no_environment() -> None:
    """The fourth is the listing itself."""
    descriptor = os.open("/", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        message = fail().message
    finally:
        os.close(descriptor)
    assert "4 {}" in message or "4 {'LC_CTYPE': 'C.UTF-8'}" in message


def test_the_real_child_stands_behind_every_wall_that_this_kernel_has() -> None:
    header, parts = ask_child(encode_frame({"job": "compile"}, build("")), ENOUGH)
    walls = [name for name, is_there in (("landlock", HAS_LANDLOCK), ("seccomp", HAS_SECCOMP)) if is_there]
    assert (header, len(parts)) == ({"walls": walls}, 1)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PACKAGES", ("inos", "no_such_package"))
    assert fail().code == "functions-missing"


def test_resident_memory_is_read() -> None:
    if Path("/proc/self/statm").exists():
        assert 2**22 < read_resident_bytes(os.getpid()) < 2**36
    assert read_resident_bytes(2**30) == 0
