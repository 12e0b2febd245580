"""Builds the one extension module; everything else stands in pyproject.toml."""

import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (ROOT / "reed/__init__.py").read_text())[1]

core = Extension(
    "reed._core",
    sources=["reed/_core.pyx", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.c"))],
    include_dirs=["csrc/include", "csrc"],
    depends=[str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.h")],
    extra_compile_args=["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
)

setup(
    version=VERSION,
    ext_modules=cythonize([core], language_level=3),
)
