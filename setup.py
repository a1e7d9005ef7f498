"""The one thing pyproject.toml cannot say yet: the C kernels, compiled by cffi."""

from setuptools import setup

setup(cffi_modules=["inos/work/backends/native/build.py:ffi"])
