"""The example that makes thumbnails: examples/functions/thumbnail.c, compiled."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from inos.testing import TestChain
from inos.testing.chain import PHRASE
from support.pictures import read_png, shrink, write_png

Call: TypeAlias = Callable[..., Any]
EXAMPLES: Final = Path(__file__).parents[2] / "examples"
MODULE: Final = (EXAMPLES / "functions" / "thumbnail.wasm").read_bytes()
RNG: Final = np.random.default_rng(3)
Y, X = np.mgrid[0:50, 0:83]
PIXELS: Final = np.stack([3 * X, 5 * Y, X * Y // 7, 255 - X], 2).astype(np.uint8)
NOISE: Final = RNG.integers(0, 256, (40, 30, 3), np.uint8)
PALETTE: Final = RNG.integers(0, 256, (200, 3), np.uint8)
NAMES: Final = (X + Y).astype(np.uint8)


@pytest.fixture(scope="module")
def call() -> Call:
    """Return a call of the module in this process, which takes 0.2 s less than one in a sandboxed child."""
    wasmtime = pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    from inos.functions.engine import make_engine
    from inos.functions.host import run_module

    engine = make_engine(2**20)
    module = wasmtime.Module(engine, MODULE)

    def run(data: bytes, *args: bytes) -> Any:
        return run_module(
            engine, module, stdin=data, args=args, steps=2**30, pages=512, output_bytes=2**20, seed=bytes(32)
        )

    return run


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        *((write_png(PIXELS[..., :channels]), PIXELS[..., :channels]) for channels in (1, 2, 3, 4)),
        (write_png(NOISE, level=0), NOISE),
        (write_png(NAMES[..., None], level=1, palette=PALETTE.tobytes()), PALETTE[NAMES]),
        (b"P6\n# a comment\n83 50\n255\n" + PIXELS[..., :3].tobytes(), PIXELS[..., :3]),
        (b"P5 83 50 255 " + PIXELS[..., 0].tobytes(), PIXELS[..., :1]),
    ],
    ids=["gray", "gray and alpha", "color", "color and alpha", "stored", "palette", "PPM", "PGM"],
)
def test_each_pixel_is_the_mean_of_those_it_covers(call: Call, data: bytes, pixels: NDArray[np.uint8]) -> None:
    outcome = call(data, b"19")
    assert outcome.reason == "delivered", outcome.log
    assert np.array_equal(read_png(outcome.stdout), shrink(pixels, 19))


def test_a_small_picture_keeps_its_size(call: Call) -> None:
    outcome = call(write_png(NOISE))
    assert outcome.reason == "delivered", outcome.log
    assert np.array_equal(read_png(outcome.stdout), NOISE)


@pytest.mark.parametrize(
    ("data", "args", "told"),
    [
        (b"GIF89a and more", (), b"neither a PNG nor a binary PNM"),
        (b"", (), b"neither a PNG nor a binary PNM"),
        (b"P6 83 50 255 short", (), b"ends early"),
        (b"P6 0 50 255 " + bytes(100), (), b"1 to 2^24 pixels"),
        (b"P6 50 50 65535 " + bytes(20000), (), b"other values"),
        (write_png(NOISE)[:-60], (), b"ends early"),
        (write_png(NAMES[..., None], palette=PALETTE.tobytes()[:60]), (), b"not in its palette"),
        (write_png(NOISE).replace(b"\x08\x02\0\0\0", b"\x10\x02\0\0\0", 1), (), b"8 bits a channel"),
        (write_png(NOISE), (b"0",), b"1 to 1024 pixels"),
    ],
)
def test_what_it_cannot_read_has_no_outcome(call: Call, data: bytes, args: tuple[bytes, ...], told: bytes) -> None:
    outcome = call(data, *args)
    assert (outcome.reason, told in outcome.log) == ("exit-code", True), outcome.log


def test_damaged_pictures_end_in_order(call: Call) -> None:
    """Whatever is in the file, the module reads and writes inside its memory: it ends with exit code 0 or 1."""
    good = write_png(PIXELS[..., :3])
    for seed in range(12):
        damaged = np.frombuffer(good, np.uint8).copy()
        rng = np.random.default_rng(seed)
        damaged[rng.integers(60, len(good) - 20, 3)] = rng.integers(0, 256, 3)
        outcome = call(damaged.tobytes(), b"7")
        assert outcome.reason in ("delivered", "exit-code"), outcome.detail


def test_a_miner_makes_the_thumbnail_that_this_machine_makes(inos_devnet: TestChain, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(write_png(PIXELS[..., :3]))
    call = (str(EXAMPLES / "functions" / "thumbnail.wasm"), str(tmp_path / "picture.png"), "31")
    (tmp_path / "phrase").write_text(PHRASE)
    command = [sys.executable, str(EXAMPLES / "function_service.py"), "--rpc", inos_devnet.url, "--check"]
    command += ["--phrase-file", str(tmp_path / "phrase"), "--most", "1000", *call]
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert b"checked on this machine" in done.stderr
    assert np.array_equal(read_png(done.stdout), shrink(PIXELS[..., :3], 31))
