"""Does what pyproject.toml cannot: it compiles the C kernels with cffi, and repairs copies that lost their symbolic
links."""

import shutil
from pathlib import Path

from setuptools import setup

for link in Path("inos").iterdir():
    if link.is_file() and not link.suffix and link.read_text(encoding="utf-8") == f"../{link.name}":
        link.unlink()  # a zip, or git without core.symlinks, leaves a file that holds the link's target
        shutil.copytree(link.name, link)

for leftover in Path("build").glob("lib*"):
    shutil.rmtree(leftover)  # setuptools packs all that an earlier build left here, deleted packages included

setup(
    # cffi's extensions use the stable ABI, so one wheel serves Python 3.11 and all after it.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cffi_modules=[
        "inos/work/backends/native/build.py:ffi",
        "inos/primitives/native/build.py:ffi",
        "inos/programs/native/build.py:ffi",
    ],
)
