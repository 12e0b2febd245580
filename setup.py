"""Builds the extension module and places the C header; everything else stands in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

HEADER = Path("csrc/include/reed.h")


def files(pattern):
    """Paths under csrc, relative to this folder, which is what setuptools wants."""
    return sorted(str(path) for path in Path("csrc").rglob(pattern))


class BuildWithHeader(build_py):
    """Puts reed.h into the wheel as reed/include/reed.h, where reed.get_include() points.

    An editable installation has it in csrc/include and needs no copy.
    """

    def _placed_header(self):
        return Path(self.build_lib) / "reed" / "include" / HEADER.name

    def run(self):
        super().run()
        if not self.editable_mode:
            self.mkpath(str(self._placed_header().parent))
            self.copy_file(str(HEADER), str(self._placed_header()))

    def get_outputs(self, include_bytecode=1):
        outputs = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(self._placed_header())]


core = Extension(
    "reed._core",
    sources=["reed/_core.pyx", *files("*.c")],
    include_dirs=["csrc/include", "csrc"],
    depends=files("*.h"),
    extra_compile_args=["-std=c11", "-O3", "-g0", "-fvisibility=hidden"],
)

setup(
    ext_modules=cythonize([core], language_level=3),
    cmdclass={"build_py": BuildWithHeader},
)
