"""What the host answers to each import, to right calls and to hostile ones."""

import struct

import pytest
from blake3 import blake3

from inos.functions.preview1 import EBADF, EFAULT, EINVAL, ENOSYS, ESPIPE, SIGNATURES
from inos.functions.wasi import Wasi
from support.functions import SEED, ask_error, build, call, run_here, write

CLOCK = 1_735_689_600 * 10**9
MS = 10**6
LAST = 16 * 65_536
"""One page is declared, so this is far outside."""
PAGE = 65_536


def drop(name: str, *arguments: int | str) -> str:
    return f"(drop {call(name, *arguments)})"


def set_vectors(*vectors: tuple[int, int]) -> str:
    """Return the text that writes an array of (start, length) at 0."""
    return "".join(
        f"(i32.store (i32.const {8 * place}) (i32.const {start})) "
        f"(i32.store (i32.const {8 * place + 4}) (i32.const {length}))"
        for place, (start, length) in enumerate(vectors)
    )


def test_clocks_count_calls() -> None:
    body = "".join(drop("clock_time_get", clock, 0, 8 * place) for place, clock in enumerate((0, 1, 2, 3)))
    found = struct.unpack("<4Q", run_here(build(body + write(0, 32))).stdout)
    assert found == (CLOCK + MS, CLOCK + 2 * MS, CLOCK + 3 * MS, CLOCK + 4 * MS)
    assert run_here(build(drop("clock_res_get", 0, 0) + write(0, 8))).stdout == struct.pack("<Q", MS)


def test_waiting_moves_the_clock_and_returns() -> None:
    """A sleep of a year takes no time."""
    year = 365 * 86_400 * 10**9
    wait = f"(i64.store (i32.const 24) (i64.const {year})) {drop('poll_oneoff', 0, 100, 1, 200)}"
    body = wait + drop("clock_time_get", 0, 0, 204) + write(200, 12)
    count, now = struct.unpack("<IQ", run_here(build(body)).stdout)
    assert (count, now) == (1, CLOCK + MS + year + MS)


def test_random_bytes_are_one_stream_of_the_seed() -> None:
    body = drop("random_get", 0, 5) + drop("random_get", 5, 0) + drop("random_get", 5, 95) + write(0, 100)
    expected = blake3(b"function random", key=SEED).digest(length=100)
    assert run_here(build(body)).stdout == expected
    assert run_here(build(body), seed=bytes(32)).stdout == blake3(b"function random", key=bytes(32)).digest(length=100)


def test_random_bytes_are_the_same_however_they_are_asked_for() -> None:
    size = 3 * 2**20 + 7
    module = build(drop("random_get", PAGE, size) + write(PAGE, size), pages="60")
    expected = blake3(b"function random", key=SEED).digest(length=size)
    assert run_here(module, pages=60, output_bytes=size).stdout == expected


def test_arguments_end_with_zeros_and_begin_with_the_name() -> None:
    body = drop("args_sizes_get", 0, 4) + drop("args_get", 8, 100) + write(0, 20) + write(100, 18)
    out = run_here(build(body), args=(b"", b"caf\xc3\xa9", b"\xff")).stdout
    assert struct.unpack("<5I", out[:20]) == (4, 18, 100, 109, 110)
    assert out[20:] == b"function\0\0caf\xc3\xa9\0\xff\0"


def test_the_environment_is_empty() -> None:
    body = "(i64.store (i32.const 0) (i64.const -1))" + drop("environ_sizes_get", 0, 4) + write(0, 8)
    assert run_here(build(body)).stdout == bytes(8)
    assert ask_error("environ_get", 0, 0) == 0


def test_stdin_is_read_in_odd_sizes() -> None:
    """Buffers of 0, 1, 7 and 3 bytes in one call, then of 65: every byte comes once and in order."""
    vectors = set_vectors((100, 0), (100, 1), (101, 7), (108, 3), (111, 65))
    body = (
        vectors + drop("fd_read", 0, 0, 4, 60) + write(60, 4) + drop("fd_read", 0, 32, 1, 60) + write(60, 4)
        + drop("fd_read", 0, 32, 1, 60) + write(60, 4) + write(100, 20)
    )  # fmt: skip
    stdin = bytes(range(1, 21))
    assert run_here(build(body), stdin=stdin).stdout == struct.pack("<3I", 11, 9, 0) + stdin


def test_stderr_is_a_log_of_bounded_length() -> None:
    body = "(memory.fill (i32.const 0) (i32.const 97) (i32.const 60000))" + write(0, 60_000, fd=2) * 3
    ended = run_here(build(body))
    assert (ended.reason, ended.stdout, ended.log) == ("delivered", b"", b"a" * 65_536)


@pytest.mark.parametrize("fd", [0, 3, 7, 2**32 - 1])
def test_other_descriptors_cannot_be_written(fd: int) -> None:
    assert ask_error("fd_write", fd, 0, 0, 0) == EBADF


@pytest.mark.parametrize("fd", [1, 2, 3, 7, 2**32 - 1])
def test_other_descriptors_cannot_be_read(fd: int) -> None:
    assert ask_error("fd_read", fd, 0, 0, 0) == EBADF


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("fd_close", (1,), 0),
        ("fd_close", (3,), EBADF),
        ("fd_seek", (0, 0, 0, 0), ESPIPE),
        ("fd_seek", (9, 0, 0, 0), EBADF),
        ("fd_tell", (1, 0), ESPIPE),
        ("fd_tell", (9, 0), EBADF),
        ("fd_fdstat_get", (2, 0), 0),
        ("fd_fdstat_get", (3, 0), EBADF),
        ("fd_prestat_get", (3, 0), EBADF),
        ("fd_prestat_dir_name", (3, 0, 9), EBADF),
        ("sched_yield", (), 0),
        ("clock_time_get", (4, 0, 0), EINVAL),
        ("clock_res_get", (4, 0), EINVAL),
        ("poll_oneoff", (0, 0, 0, 0), EINVAL),
        ("poll_oneoff", (0, 0, 1025, 0), EINVAL),
        ("fd_read", (0, 0, 1025, 0), EINVAL),
        ("fd_write", (1, 0, 2**32 - 1, 0), EINVAL),
    ],
)
def test_error_numbers(name: str, arguments: tuple[int, ...], error: int) -> None:
    assert ask_error(name, *arguments) == error


@pytest.mark.parametrize("name", sorted(name for name in SIGNATURES if not hasattr(Wasi, name)))
def test_all_other_functions_of_preview_1_answer_enosys(name: str) -> None:
    params, _ = SIGNATURES[name]
    assert ask_error(name, *[0] * len(params)) == ENOSYS


FAULTS = [
    ("args_sizes_get", (PAGE - 3, 0)),
    ("args_sizes_get", (0, 2**32 - 1)),
    ("args_get", (2**32 - 1, 0)),
    ("args_get", (0, PAGE - 8)),
    ("environ_sizes_get", (2**32 - 4, 0)),
    ("clock_res_get", (0, PAGE - 7)),
    ("clock_time_get", (0, 0, 2**32 - 1)),
    ("random_get", (0, 2**32 - 1)),
    ("random_get", (2**32 - 1, 2**32 - 1)),
    ("random_get", (PAGE + 1, 0)),
    ("fd_fdstat_get", (0, PAGE - 23)),
    ("fd_read", (0, 2**32 - 8, 1, 0)),
    ("fd_read", (0, PAGE - 8, 2, 0)),
    ("fd_read", (0, 0, 0, 2**32 - 1)),
    ("fd_write", (1, 2**32 - 1, 1024, 0)),
    ("fd_write", (2, 0, 0, PAGE - 3)),
    ("poll_oneoff", (PAGE - 47, 0, 1, 0)),
    ("poll_oneoff", (0, PAGE - 31, 1, 0)),
    ("poll_oneoff", (0, 0, 1, 2**32 - 2)),
    ("poll_oneoff", (0, 0, 1024, 2**32 - 2)),
]


@pytest.mark.parametrize(("name", "arguments"), FAULTS)
def test_pointers_outside_the_memory_answer_efault(name: str, arguments: tuple[int, ...]) -> None:
    assert ask_error(name, *arguments, stdin=b"input") == EFAULT


@pytest.mark.parametrize(("name", "fd"), [("fd_read", 0), ("fd_write", 1), ("fd_write", 2)])
@pytest.mark.parametrize(("start", "length"), [(2**32 - 1, 1), (0, 2**32 - 1), (PAGE - 1, 2), (2**31, 2**31)])
def test_buffers_outside_the_memory_answer_efault_and_move_nothing(name: str, fd: int, start: int, length: int) -> None:
    """The first buffer is right, the second is not: no byte of either is moved."""
    vectors = set_vectors((100, 4), (start, length))
    body = f"{vectors} (i32.store (i32.const 16) {call(name, fd, 0, 2, 20)})" + write(16, 4) + write(100, 4)
    ended = run_here(build(body), stdin=b"abcdef")
    assert ended.stdout == struct.pack("<I", EFAULT) + bytes(4)
    assert ended.log == b""


def test_a_failed_read_leaves_stdin_as_it_was() -> None:
    vectors = set_vectors((100, 4))
    body = vectors + drop("fd_read", 0, 0, 1, 2**32 - 1) + drop("fd_read", 0, 0, 1, 20) + write(100, 4)
    assert run_here(build(body), stdin=b"abcdef").stdout == b"abcd"


def test_a_long_sum_of_lengths_is_refused() -> None:
    """1,024 buffers of 4 MiB are 4 GiB: lengths are added without wrapping around."""
    fill = (
        "(loop (i32.store offset=4 (i32.mul (local.get $i) (i32.const 8)) (i32.const 4194304))"
        "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1024))))"
    )
    body = f"{fill} (i32.store (i32.const 64000) {call('fd_write', 2, 0, 1024, 64004)})" + write(64000, 4)
    ended = run_here(build(body, pages="64"), pages=64)
    assert ended.stdout == struct.pack("<I", EINVAL)


def test_calls_cost_steps_and_so_do_their_bytes() -> None:
    def count(body: str) -> int:
        return run_here(build(body)).steps

    empty, once = count(""), count(drop("sched_yield"))
    assert 10_000 <= once - empty < 10_010
    assert 19_990 <= count(drop("random_get", 0, 10_000)) - empty < 20_010
    assert 12_500 <= count(write(0, 500)) - empty < 12_600
    assert 2_058_000 <= count(drop("fd_read", 0, 0, 1024, 60_000)) - empty < 2_058_010
    assert 26_000 <= count(drop("poll_oneoff", 0, 0, 8, 60_000)) - empty < 26_010
    assert 12_000 <= count(drop("args_get", 0, 100)) - empty < 12_020
