"""The functions of WASI preview 1 with their signatures, and the error numbers that this host answers."""

from typing import Final

MODULE: Final = "wasi_snapshot_preview1"

SUCCESS: Final = 0
EBADF: Final = 8
EFAULT: Final = 21
EINVAL: Final = 28
ENOSYS: Final = 52
ESPIPE: Final = 70

I32: Final = 0x7F
I64: Final = 0x7E
"""Value types are written with the bytes of the binary format."""

_LETTERS: Final = {"i": I32, "l": I64}
_TEXT: Final = """
args_get ii, args_sizes_get ii, environ_get ii, environ_sizes_get ii, clock_res_get ii, clock_time_get ili,
fd_advise illi, fd_allocate ill, fd_close i, fd_datasync i, fd_fdstat_get ii, fd_fdstat_set_flags ii,
fd_fdstat_set_rights ill, fd_filestat_get ii, fd_filestat_set_size il, fd_filestat_set_times illi, fd_pread iiili,
fd_prestat_get ii, fd_prestat_dir_name iii, fd_pwrite iiili, fd_read iiii, fd_readdir iiili, fd_renumber ii,
fd_seek ilii, fd_sync i, fd_tell ii, fd_write iiii, path_create_directory iii, path_filestat_get iiiii,
path_filestat_set_times iiiilli, path_link iiiiiii, path_open iiiiillii, path_readlink iiiiii,
path_remove_directory iii, path_rename iiiiii, path_symlink iiiii, path_unlink_file iii, poll_oneoff iiii,
proc_exit i, proc_raise i, random_get ii, sched_yield, sock_accept iii, sock_recv iiiiii, sock_send iiiii,
sock_shutdown ii
"""
"""Each function's name and the types of its parameters: i is i32, l is i64."""


def _parse() -> dict[str, tuple[bytes, bytes]]:
    found = {}
    for entry in _TEXT.split(","):
        name, _, letters = entry.strip().partition(" ")
        params = bytes(_LETTERS[letter] for letter in letters)
        found[name] = (params, b"" if name == "proc_exit" else bytes([I32]))
    return found


SIGNATURES: Final = _parse()
"""From a function's name to its parameters and results, as bytes of value types. All but `proc_exit` return an error
number.
"""
