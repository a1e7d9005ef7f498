"""A seccomp filter that denies the calls a module's child never makes: files, sockets, processes, the kernel's doors.

It is a list of what is denied, since the engine and the interpreter are not ours, and a list of what is allowed would
break with their next version. A kernel without seccomp, and a processor that is not in the table, have no filter.
"""

import ctypes
import platform
import struct
from typing import Any, Final

_TABLE: Final = """
open 2 -, openat 257 56, openat2 437 437, creat 85 -, mknod 133 -, mknodat 259 33, mkdir 83 -, mkdirat 258 34, rmdir
84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink
88 -, symlinkat 266 36, chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260
54, truncate 76 45, ftruncate 77 46, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -, setxattr 188 5,
lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16, mount 165 40, umount2
166 39, chroot 161 51, pivot_root 155 41, open_tree 428 428, move_mount 429 429, fsopen 430 430, fsmount 432 432,
mount_setattr 442 442, name_to_handle_at 303 264, open_by_handle_at 304 265, memfd_create 319 279, memfd_secret 447 447,
fanotify_init 300 262, inotify_init 253 -, inotify_init1 294 26, swapon 167 224, swapoff 168 225, quotactl 179 60,
acct 163 89, ioctl 16 29,
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, sendto
44 206, sendmsg 46 211, sendmmsg 307 269,
clone 56 220, clone3 435 435, fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, ptrace 101 117, process_vm_readv
310 270, process_vm_writev 311 271, process_madvise 440 440, kill 62 129, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo
297 240, pidfd_open 434 434, pidfd_send_signal 424 424, pidfd_getfd 438 438, setns 308 268, unshare 272 97,
kexec_load 246 104, kexec_file_load 320 294, init_module 175 105, finit_module 313 273, delete_module 176 106, bpf 321
280, perf_event_open 298 241, userfaultfd 323 282, keyctl 250 219, add_key 248 217, request_key 249 218, io_setup 206
0, io_submit 209 2, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, shmget 29 194, shmat 30
196, shmctl 31 195, msgget 68 186, semget 64 190, mq_open 240 180, reboot 169 142, sethostname 170 161, setdomainname
171 162, settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171
"""
"""Each call with its numbers on x86-64 and on Arm64; a dash where there is no such call."""
ARCHITECTURES: Final = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}
"""From a machine's name to its number in seccomp and its column in the table."""
SYS_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
X32_BIT: Final = 0x40000000
"""Calls of another interface that x86-64 kernels may have; they would pass by the numbers of the table."""

SET_MODE_FILTER: Final = 1
ALL_THREADS: Final = 1
ALLOW: Final = 0x7FFF0000
DENY: Final = 0x00050001
"""The call answers EPERM."""
LOAD: Final = 0x20
IF_EQUAL: Final = 0x15
IF_AT_LEAST: Final = 0x35
RETURN: Final = 0x06
OFFSET_NUMBER: Final = 0
OFFSET_ARCHITECTURE: Final = 4


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def list_denied(machine: str) -> dict[str, int]:
    """Return the denied calls of a machine with their numbers."""
    column = ARCHITECTURES[machine][1]
    rows = [entry.split() for entry in _TABLE.split(",")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def build_filter(machine: str) -> bytes:
    """Return the filter's instructions: another architecture and denied calls answer EPERM, all else is allowed."""
    architecture, _ = ARCHITECTURES[machine]
    steps = [(LOAD, 0, 0, OFFSET_ARCHITECTURE), (IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, DENY)]
    steps += [(LOAD, 0, 0, OFFSET_NUMBER), (IF_AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, DENY)]
    for number in sorted(list_denied(machine).values()):
        steps += [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, DENY)]
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def deny_calls(libc: Any) -> bool:
    """Deny the calls of the table to all threads of this process, for good; return False if the kernel cannot."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    code = build_filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    return bool(libc.syscall(SYS_SECCOMP[machine], SET_MODE_FILTER, ALL_THREADS, ctypes.byref(program)) == 0)
