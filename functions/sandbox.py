"""The second wall around a module: what the child process gives up before it reads anything a stranger wrote.

WebAssembly is the first wall. This one holds if the engine has a fault. Limits, no_new_privs and the parent's death
signal work on every Linux; Landlock and seccomp are used where the kernel has them and never required. Elsewhere
than on Linux only the limits work.
"""

import contextlib
import ctypes
import resource
import signal
import struct
import sys
from typing import Any, Final

from inos.functions import seccomp

MAX_FILES: Final = 16
PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
SYS_LANDLOCK_CREATE_RULESET: Final = 444
SYS_LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_VERSION: Final = 1
LANDLOCK_RIGHTS: Final = ((6, 16, 3, 3), (5, 16, 3, 0), (4, 15, 3, 0), (3, 15, 0, 0), (2, 14, 0, 0), (1, 13, 0, 0))
"""From a version of Landlock on: the kinds of file access, the bits of network access, and the bits of scopes (sockets
without a file, signals) that it can take away.
"""


def limit_process(cpu_seconds: int) -> None:
    """Limit processor time, files and core dumps, gain no rights by exec, and die with the parent.

    There is no limit of address space or data: it would change what a module can see. The parent watches memory.
    """
    if sys.platform == "linux":
        libc = _load_libc()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")  # if memory runs out, the kernel ends this process first
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: MAX_FILES,
    }
    for which, value in limits.items():
        _, hard = resource.getrlimit(which)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (most, most))


def lock_files() -> bool:
    """Take all access to files and network from this thread and those it starts; return False if the kernel cannot."""
    if sys.platform != "linux":
        return False
    libc = _load_libc()
    version = libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION)
    found = next((rights for least, *rights in LANDLOCK_RIGHTS if version >= least), None)
    if found is None:
        return False
    files, network, scopes = found
    size = 8 * (1 + (network > 0) + (scopes > 0))
    rights = struct.pack("<QQQ", 2**files - 1, network, scopes)
    ruleset = libc.syscall(SYS_LANDLOCK_CREATE_RULESET, rights, size, 0)
    return bool(ruleset >= 0 and libc.syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)


def deny_calls() -> bool:
    """Deny what `seccomp` lists to all threads of this process; return False if the kernel cannot."""
    return sys.platform == "linux" and seccomp.deny_calls(_load_libc())


def _load_libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
