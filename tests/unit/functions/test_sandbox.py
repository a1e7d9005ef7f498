"""What the child gives up: each wall alone, in a process that is asked to break it."""

import os
import platform
import select
import subprocess
import sys
from pathlib import Path

import pytest

from inos.functions import sandbox, seccomp
from support.walls import HAS_LANDLOCK, HAS_SECCOMP

needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not HAS_SECCOMP, reason="no filter for this machine")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="these walls are Linux's")

TRY = """
import ctypes, os, resource, signal, socket, subprocess, sys, threading
from inos.functions.sandbox import deny_calls, limit_process, lock_files
def is_denied(what):
    try:
        what()
    except (OSError, RuntimeError):
        return True
    return False
"""


def ask(script: str) -> str:
    """Run a script in a new process and return what it printed."""
    done = subprocess.run([sys.executable, "-c", TRY + script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_landlock
def test_landlock_takes_files_and_ports(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    script = f"""
print(lock_files())
print(is_denied(lambda: open({str(tmp_path / "file")!r})), is_denied(lambda: open({str(tmp_path / "new")!r}, "w")))
print(is_denied(lambda: os.listdir("/")), is_denied(lambda: os.unlink({str(tmp_path / "file")!r})))
print(is_denied(lambda: socket.create_server(("127.0.0.1", 0))))
"""
    limit = "import os\nos.umask(0)\nlimit_process(60)\n"
    assert ask(limit + script).split() == ["True"] * 6
    assert (tmp_path / "file").read_text() == "x"


@needs_seccomp
def test_seccomp_denies_files_sockets_processes_and_threads() -> None:
    script = """
limit_process(60)
print(deny_calls())
print(is_denied(lambda: open("/proc/self/status")), is_denied(lambda: socket.socket()))
print(is_denied(os.fork), is_denied(lambda: os.execv("/bin/true", ["true"])))
print(is_denied(lambda: threading.Thread(target=print).start()), is_denied(lambda: os.kill(os.getppid(), 0)))
print(is_denied(lambda: os.memfd_create("x")), is_denied(lambda: os.unlink("/nothing-here-either")))
"""
    assert ask(script).split() == ["True"] * 9


@needs_seccomp
def test_seccomp_binds_threads_that_ran_before() -> None:
    script = """
limit_process(60)
found, begin = [], threading.Event()
def wait():
    begin.wait()
    found.append(is_denied(lambda: socket.socket()))
thread = threading.Thread(target=wait)
thread.start()
deny_calls()
begin.set()
thread.join()
print(found)
"""
    assert ask(script) == "[True]"


@needs_seccomp
def test_the_filter_answers_eperm_and_lets_the_rest_through() -> None:
    script = """
limit_process(60)
deny_calls()
try:
    os.open("/", 0)
except OSError as error:
    print(error.errno, os.getpid() > 0)
"""
    assert ask(script) == "1 True"


@linux_only
def test_limits_bind_and_rights_are_not_gained() -> None:
    script = """
limit_process(7)
names = ("RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
print([resource.getrlimit(getattr(resource, name)) for name in names])
print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0), open("/proc/self/oom_score_adj").read().strip())
print(is_denied(lambda: [os.dup(0) for _ in range(20)]))
print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY)
"""
    limits, rights, descriptors, memory = ask(script).splitlines()
    assert limits == "[(7, 7), (0, 0), (0, 0), (16, 16)]"
    assert (rights, descriptors, memory) == ("1 1000", "True", "True")


@linux_only
def test_a_limit_of_the_shell_that_is_lower_stays() -> None:
    script = """
resource.setrlimit(resource.RLIMIT_CPU, (3, 3))
limit_process(7)
print(resource.getrlimit(resource.RLIMIT_CPU))
"""
    assert ask(script) == "(3, 3)"


@linux_only
def test_the_child_dies_with_its_parent() -> None:
    """The parent starts a child that waits for ever, and is killed."""
    child = "from inos.functions.sandbox import limit_process; limit_process(60); print('up', flush=True); input()"
    script = f"""
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""
    parent = subprocess.Popen([sys.executable, "-c", TRY + script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    descriptor = os.pidfd_open(pid)
    parent.kill()
    parent.wait()
    assert select.select([descriptor], [], [], 30)[0], "the child lives on"
    os.close(descriptor)
    parent.stdout.close()


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_filters_fit_the_kernel(machine: str) -> None:
    code = seccomp.build_filter(machine)
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096
    denied = seccomp.list_denied(machine)
    assert {"openat", "socket", "clone", "clone3", "execve", "ptrace", "io_uring_setup"} <= denied.keys()
    assert len(set(denied.values())) == len(denied)


@linux_only
def test_without_seccomp_and_landlock_the_child_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not sandbox.deny_calls()
    monkeypatch.setattr(sandbox, "_load_libc", lambda: type("Libc", (), {"syscall": lambda *_: -1})())
    assert not sandbox.lock_files()
