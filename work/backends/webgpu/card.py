"""A graphics card through WebGPU. The card's memory holds buffers, and what is dispatched runs in order."""

from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work.backends.card import CardFailed, Noise

WIN_BYTES: Final = 44
"""A win is i, j, p and the digest, in 11 words."""
DRIVERS: Final = ("Vulkan", "Metal", "DX12")
X_STRIPS: Final = 4
W_STRIPS: Final = 8
"""A workgroup of `multiply` has so many strips of either side."""


class Block(Struct, frozen=True, eq=False):
    """Rows of an operand on the card: buffers, and how many strips and panels they hold."""

    plain: Any
    noisy: Any
    rows: Any
    """The noise rows."""
    inverse: Any
    strips: int
    panels: int


class WebGpuCard:
    """Runs the shaders.

    Args:
        accepts_software: take an adapter that runs on the processor, which is of no use but for tests.

    Raises:
        CardFailed: "no-card": wgpu is not installed, or there is no card.
    """

    def __init__(self, *, accepts_software: bool = False) -> None:
        self._wgpu: Any = _import_wgpu()
        self.failures: tuple[type[Exception], ...] = (self._wgpu.GPUError, RuntimeError)
        adapter = _find_adapter(self._wgpu, accepts_software=accepts_software)
        self.name = f"{adapter.info['device']} ({adapter.info['backend_type']})"
        wanted = ("max-storage-buffer-binding-size", "max-buffer-size")
        try:
            self._device = adapter.request_device_sync(required_limits={name: adapter.limits[name] for name in wanted})
            kernel, peel = (self._compile(name) for name in ("kernel.wgsl", "peel.wgsl"))
            self._add_noise, self._multiply = (self._make_pipeline(kernel, name) for name in ("add_noise", "multiply"))
            self._sum_columns, self._peel = (self._make_pipeline(peel, name) for name in ("sum_columns", "peel"))
        except self.failures as error:
            raise CardFailed("no-card", f"the driver of {self.name} refuses the kernels: {error}") from error

    def load(self, rows: NDArray[np.int8], noise: Noise) -> Block:
        """Copy rows of an operand to the card, and add their noise there."""
        strips, panels = rows.shape[0] // STRIP_ROWS, rows.shape[1] // PANEL_BYTES
        plain = self._upload(pack(rows))
        block = Block(
            plain,
            self._make_buffer(rows.nbytes),
            self._upload(noise.rows),
            self._upload(noise.inverse),
            strips,
            panels,
        )
        columns, params = self._upload(noise.columns), self._make_params(strips, strips, panels)
        buffers = {0: params, 5: plain, 6: block.rows, 7: columns, 8: block.noisy}
        self._run([(self._add_noise, buffers, (4 * panels, strips))])
        return block

    def multiply(
        self, x: Block, w: Block, seed_x: bytes, target: int, *, needs_rows: bool
    ) -> tuple[NDArray[np.int32] | None, Sequence[tuple[int, int, int]]]:
        """Return the exact product of two blocks if it is needed, and (i, j, p) of the tickets that won on the card."""
        rows, cols = STRIP_ROWS * x.strips, STRIP_ROWS * w.strips
        product = self._make_buffer(4 * rows * cols if needs_rows else 4)
        found = self._make_buffer(4 + WIN_BYTES * x.strips * w.strips * x.panels)
        params = self._make_params(x.strips, w.strips, x.panels, seed_x, target, needs_rows=needs_rows)
        groups = -(-w.strips // W_STRIPS), -(-x.strips // X_STRIPS)
        dispatches = [(self._multiply, {0: params, 1: x.noisy, 2: w.noisy, 3: found, 4: product}, groups)]
        self._run([*dispatches, *(self._list_peeling(x, w, params, product) if needs_rows else ())])
        made = self._read(product).view(np.int32).reshape(rows, cols) if needs_rows else None
        return made, self._read_wins(found)

    def _list_peeling(
        self, x: Block, w: Block, params: Any, product: Any
    ) -> list[tuple[Any, dict[int, Any], tuple[int, int]]]:
        """Return what removes the noise from a product."""
        sums_x, sums_w = (self._make_buffer(4 * 64 * STRIP_ROWS * each.strips) for each in (x, w))
        buffers = {0: params, 4: sums_x, 5: sums_w, 6: x.rows, 7: w.rows, 8: product}
        return [
            (self._sum_columns, {0: params, 1: x.plain, 2: w.inverse, 3: sums_x}, (x.strips, 1)),
            (self._sum_columns, {0: params, 1: w.noisy, 2: x.inverse, 3: sums_w}, (w.strips, 1)),
            (self._peel, buffers, (w.strips, x.strips)),
        ]

    def _read_wins(self, found: Any) -> list[tuple[int, int, int]]:
        count = int(self._read(found, 4).view("<u4")[0])
        if not count:
            return []
        wins = self._read(found, 4 + WIN_BYTES * count).view("<u4")[1:].reshape(count, -1)
        return [(int(i), int(j), int(p)) for i, j, p in wins[:, :3]]

    def _make_params(
        self,
        x_strips: int,
        w_strips: int,
        panels: int,
        seed: bytes = bytes(HASH_BYTES),
        target: int = 0,
        *,
        needs_rows: bool = True,
    ) -> Any:
        """Return the struct Params of kernel.wgsl; peel.wgsl reads its first fields."""
        head = np.array([x_strips, w_strips, panels, 0, panels, int(needs_rows), 0, 0], "<u4")
        limit = np.frombuffer(target.to_bytes(HASH_BYTES, "big"), ">u4").astype("<u4")
        data = np.concatenate([head, np.frombuffer(seed, "<u4"), limit])
        return self._device.create_buffer_with_data(data=data, usage=self._wgpu.BufferUsage.UNIFORM)

    def _run(self, dispatches: Sequence[tuple[Any, dict[int, Any], tuple[int, int]]]) -> None:
        """Run shaders one after the other; each sees what those before it wrote."""
        encoder = self._device.create_command_encoder()
        for pipeline, buffers, groups in dispatches:
            entries = [
                {"binding": binding, "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                for binding, buffer in buffers.items()
            ]
            bound = self._device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
            work = encoder.begin_compute_pass()
            work.set_pipeline(pipeline)
            work.set_bind_group(0, bound)
            work.dispatch_workgroups(*groups)
            work.end()
        self._device.queue.submit([encoder.finish()])

    def _compile(self, name: str) -> Any:
        source = files("inos.work.backends.webgpu").joinpath(name).read_text("utf-8")
        return self._device.create_shader_module(code=source)

    def _make_pipeline(self, module: Any, entry: str) -> Any:
        return self._device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": entry})

    def _make_buffer(self, size: int) -> Any:
        """Return a buffer of zeros."""
        usage = self._wgpu.BufferUsage
        return self._device.create_buffer(size=size, usage=usage.STORAGE | usage.COPY_SRC | usage.COPY_DST)

    def _upload(self, array: NDArray[Any]) -> Any:
        usage = self._wgpu.BufferUsage
        return self._device.create_buffer_with_data(data=np.ascontiguousarray(array), usage=usage.STORAGE)

    def _read(self, buffer: Any, size: int | None = None) -> NDArray[np.uint8]:
        return np.frombuffer(self._device.queue.read_buffer(buffer, 0, size), np.uint8)


def pack(rows: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Return rows as kernel.wgsl reads them: [strip][panel][step][group of 4 columns][16 rows] of 4 bytes."""
    words = rows.view("<u4").reshape(rows.shape[0] // STRIP_ROWS, STRIP_ROWS, -1)
    return np.ascontiguousarray(words.transpose(0, 2, 1))


def _import_wgpu() -> Any:
    try:
        import wgpu
        from wgpu.backends.wgpu_native.extras import set_instance_extras
    except ImportError as error:
        raise CardFailed("no-card", 'it needs the package wgpu: pip install "inos[webgpu]"') from error
    with suppress(RuntimeError):  # Another user of wgpu in this process was first.
        set_instance_extras(backends=DRIVERS)  # OpenGL's drivers complain on stderr where there is no screen.
    return wgpu


def _find_adapter(wgpu: Any, *, accepts_software: bool) -> Any:
    try:
        adapters = wgpu.gpu.enumerate_adapters_sync()
    except RuntimeError as error:
        raise CardFailed("no-card", f"wgpu finds no driver: {error}") from error
    native = [adapter for adapter in adapters if adapter.info["backend_type"] != "OpenGL"]
    order = {"DiscreteGPU": 0, "IntegratedGPU": 1, "VirtualGPU": 2, "CPU": 3 if accepts_software else None}
    ranks = [(rank, at) for at, each in enumerate(native) if (rank := order.get(each.info["adapter_type"])) is not None]
    if not ranks:
        found = ", ".join(adapter.info["device"] for adapter in native)
        reason = f"there is only {found}, which runs on the processor" if found else "no driver (Vulkan, Metal) is here"
        raise CardFailed("no-card", f"it needs a graphics card: {reason}")
    return native[min(ranks)[1]]
