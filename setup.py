"""Builds the extension module and, from the same objects, the libraries for C callers; places the C
header. Everything else stands in pyproject.toml.

What C callers need lies in the package as it would lie under an installation prefix, so that one
template serves reed.pc everywhere:

    reed/include/reed.h                     reed.get_include(); csrc/include of an editable tree
    reed/lib/libreed.a, libreed.so.0        reed.get_library_dir()
    reed/lib/libreed.so                     a linker script: wheels hold no symbolic links
    reed/lib/pkgconfig/reed.pc
    reed/lib/isal/libisal*.so.2             the drop-in for ISA-L, under both of its names
"""

import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HEADER = Path("csrc/include/reed.h")
FLAGS = ["-std=c11", "-O3", "-g0", "-fvisibility=hidden"]
INCLUDES = ["csrc/include", "csrc"]
ISAL_SOURCES = ["csrc/isal/isal.c"]


def files(pattern):
    """Paths under csrc, relative to this folder, which is what setuptools wants."""
    return sorted(str(path) for path in Path("csrc").rglob(pattern))


CORE_SOURCES = [path for path in files("*.c") if path not in ISAL_SOURCES]


def header_version():
    """(major, minor, patch) of reed.h, as strings; the library's file name begins with them."""
    text = HEADER.read_text()
    return [re.search(rf"define REED_VERSION_{part} (\d+)", text)[1]
            for part in ("MAJOR", "MINOR", "PATCH")]


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


class BuildWithLibraries(build_ext):
    """Links the objects of the extension into libreed and the drop-in for ISA-L as well."""

    def _library_dir(self):
        return (Path() if self.inplace else Path(self.build_lib)) / "reed" / "lib"

    def _library_files(self):
        major = header_version()[0]
        return {name: self._library_dir() / name for name in (
            "libreed.a", "libreed.so", f"libreed.so.{major}", "pkgconfig/reed.pc",
            "isal/libisal.so.2", "isal/libisal-pyeclib.so.2")}

    def get_outputs(self):
        return [*super().get_outputs(), *map(str, self._library_files().values())]

    def _link_shared(self, objects, target, export_map):
        self.compiler.link_shared_object(
            objects, str(target), extra_preargs=[f"-Wl,-soname,{target.name}"],
            extra_postargs=[f"-Wl,--version-script={export_map}"], target_lang="c")

    def run(self):
        super().run()
        placed = self._library_files()
        for path in placed.values():
            self.mkpath(str(path.parent))
        major = header_version()[0]
        core = self.compiler.object_filenames(CORE_SOURCES, output_dir=self.build_temp)
        # create_static_lib only adds to an archive that exists.
        placed["libreed.a"].unlink(missing_ok=True)
        self.compiler.create_static_lib(core, "reed", output_dir=str(self._library_dir()))
        self._link_shared(core, placed[f"libreed.so.{major}"], "csrc/reed.map")
        placed["libreed.so"].write_text(f"/* for -lreed */\nINPUT(libreed.so.{major})\n")
        drop_in = self.compiler.compile(ISAL_SOURCES, output_dir=self.build_temp,
                                        include_dirs=INCLUDES, extra_postargs=FLAGS)
        for name in ("isal/libisal.so.2", "isal/libisal-pyeclib.so.2"):
            self._link_shared([*core, *drop_in], placed[name], "csrc/isal/isal.map")
        self._write_pkg_config(placed["pkgconfig/reed.pc"])

    def _write_pkg_config(self, target):
        values = {"REED_PC_PREFIX": "../..", "REED_PC_LIBDIR": "lib",
                  "REED_PC_INCLUDEDIR": "../csrc/include" if self.inplace else "include",
                  "REED_VERSION": ".".join(header_version())}
        template = Path("csrc/reed.pc.in").read_text()
        target.write_text(re.sub(r"@(\w+)@", lambda match: values[match[1]], template))


core = Extension(
    "reed._core",
    sources=["reed/_core.pyx", *CORE_SOURCES],
    include_dirs=INCLUDES,
    depends=files("*.h"),
    extra_compile_args=FLAGS,
    # A libreed that is in the same process, of whatever version, must not take over.
    extra_link_args=["-Wl,-Bsymbolic"],
)

setup(
    ext_modules=cythonize([core], language_level=3),
    cmdclass={"build_py": BuildWithHeader, "build_ext": BuildWithLibraries},
)
