"""Products on any graphics card that WebGPU reaches, through the package `wgpu` (extra `webgpu`).

`kernel.wgsl` adds noise, multiplies and draws tickets; browsers run the same file. `peel.wgsl` removes the noise from
the product. `card` uploads blocks, runs both and reads back. wgpu is imported when a card is asked for.
"""

from inos.work.backends.card import Card


def open_webgpu() -> Card:
    """Return the fastest card that WebGPU finds.

    Raises:
        CardFailed: there is none, or wgpu is not installed.
    """
    from inos.work.backends.webgpu.card import WebGpuCard

    return WebGpuCard()
