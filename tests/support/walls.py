"""Which walls around functions this machine's kernel has."""

import ctypes
import platform
import sys
from typing import Final

from inos.functions import sandbox, seccomp

IS_LINUX: Final = sys.platform == "linux"
HAS_LANDLOCK: Final = IS_LINUX and (
    ctypes.CDLL(None).syscall(sandbox.SYS_LANDLOCK_CREATE_RULESET, None, 0, sandbox.LANDLOCK_VERSION) > 0
)
HAS_SECCOMP: Final = IS_LINUX and platform.machine() in seccomp.ARCHITECTURES
