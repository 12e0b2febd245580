"""Dependencies point down: reads every C include and every Python import of the project and fails
when one points up, and fails when a file has no place in the order.

The rules are the tables below. The second half of the file turns each rule against an invented
offender, so that the test is known to be able to fail.
"""

import ast
import functools
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# ---- C: the lowest layer first. A file may include files of its own layer and of lower ones. -----

C_LAYERS = (
    ("vocabulary", ("include/reed.h", "size.h", "bytes.h")),
    ("field and processor", ("field.[ch]", "cpu.[ch]", "checksum.h")),
    ("kernels", ("kernels/*.[ch]",)),
    ("matrix, wide transforms, checksum dispatch", ("matrix.[ch]", "wide.[ch]", "checksum.c")),
    ("code", ("code.[ch]",)),
    ("plan", ("plan.[ch]",)),
    ("apply, locate", ("apply.[ch]", "locate.c")),
    ("fused", ("fused.c",)),
    ("shard, fragment", ("shard.[ch]", "fragment.c")),
    ("stripe", ("stripe.c",)),
    ("scrub", ("scrub.[ch]",)),
    ("drop-in for ISA-L", ("isal/isal.[ch]",)),
)
# What no layer of csrc may include: the core knows no Python and starts no thread.
C_FORBIDDEN = ("Python.h", "pthread.h", "threads.h", "omp.h")


def c_layer(path):
    """The layer of a path below csrc; None when no layer lists it."""
    for layer, (_, patterns) in enumerate(C_LAYERS):
        if any(fnmatch(path, pattern) for pattern in patterns):
            return layer
    return None


def c_violations(sources):
    """What is wrong with {path below csrc: text}, as sentences."""
    for path, text in sources.items():
        if c_layer(path) is None:
            yield f"csrc/{path} has no layer: give it one in C_LAYERS"
            continue
        for included in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE):
            if included in C_FORBIDDEN:
                yield f"csrc/{path} includes {included}"
                continue
            target = "include/reed.h" if included == "reed.h" else included
            if target in sources and (c_layer(target) or 0) > c_layer(path):
                yield (f"csrc/{path} ({C_LAYERS[c_layer(path)][0]}) includes {included} "
                       f"({C_LAYERS[c_layer(target)][0]}): an arrow that points up")


@functools.cache
def _c_sources():
    return {path.relative_to(ROOT / "csrc").as_posix(): path.read_text()
            for path in sorted((ROOT / "csrc").rglob("*.[ch]"))}


def c_sources():
    return dict(_c_sources())


# ---- Python: what each part of the package may import of the others, and of other people. -------

# (part, parts it may use, distributions it may use). A part is a module or a package, with all in
# it. What is not listed is refused.
PYTHON_PARTS = {
    "reed": ((), ()),  # __init__ is lazy: it imports nothing when it is imported
    "reed.errors": ((), ()),
    "reed.creed": ((), ()),
    "reed._core": (("reed.errors", "reed.creed"), ("numpy",)),
    "reed.codes": (("reed._core", "reed.errors"), ("numpy",)),
    "reed.files": (("reed.codes", "reed._core", "reed.errors"), ("numpy", "blake3")),
    # fsspec: targets behind a URL, imported when the first one is used.
    "reed.store": (("reed.files", "reed.codes", "reed._core", "reed.errors"), ("fsspec",)),
    "reed.store.claim": (("reed.store", "reed.durability", "reed.durability.measure"), ()),
    "reed.store.report": (("reed.store", "reed.durability"), ()),
    "reed.drill": (("reed.store", "reed.files", "reed.codes", "reed.errors"), ()),
    "reed.durability": (("reed.errors",), ("numpy", "dask", "matplotlib")),
    # The rates of the real codec: the one module there that needs the compiled core.
    "reed.durability.measure": (("reed", "reed.codes", "reed.durability", "reed.errors"),
                                ("numpy",)),
    "reed.durability.__main__": (("reed.cli",), ()),  # what is run is a face, wherever it lies
    "reed.compat": ((), ()),
    "reed.compat.isal": (("reed.codes", "reed.errors"), ()),
    "reed.compat.pyeclib_hook": ((), ()),
    "reed.compat.pyeclib": (("reed.codes", "reed._core", "reed.errors"), ()),
    "reed.cli": (("reed.files", "reed.store", "reed.store.claim", "reed.store.report", "reed.drill",
                  "reed.durability", "reed.durability.measure", "reed.compat.isal",
                  "reed.compat.pyeclib_hook", "reed.codes", "reed.errors"),
                 ("click", "rich", "numpy")),
}
# Loads a library for others and calls nothing in it.
C_LOADERS = ("reed/compat/isal.py",)
# Names that `from reed import NAME` and `reed.NAME` reach without being modules.
ATTRIBUTES = re.compile(
    r"__version__$|get_include$|get_library_dir$|info$|kernels$|split$|join$|crc32c|ReedSolomon$|Replication$")
ATTRIBUTE_HOME = "reed.codes"


def part_of(module):
    """The part that a module of the package belongs to; None when no part lists it."""
    candidates = [part for part in PYTHON_PARTS
                  if module == part or (part != "reed" and module.startswith(part + "."))]
    return max(candidates, key=len, default=None)


def python_imports(module, text, is_package):
    """Every module that the text imports, at any depth, as absolute names."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            if origin == "reed":
                for alias in node.names:
                    if alias.name == "__version__":
                        continue
                    is_value = ATTRIBUTES.match(alias.name)
                    yield ATTRIBUTE_HOME if is_value else f"reed.{alias.name}"
            else:
                yield origin


def cython_imports(text):
    """The same for Cython, whose syntax Python's parser does not know."""
    for line in text.splitlines():
        match = re.match(r"\s*(?:from\s+([\w.]+)\s+c?import\s+(.*)|c?import\s+([\w.]+))", line)
        if match is None:
            continue
        if match[1] == "reed":
            yield from (f"reed.{name.strip(' ()')}" for name in match[2].split(",") if name.strip())
        else:
            yield match[1] or match[3]


def python_violations(sources):
    """What is wrong with {path below the root: text}, as sentences."""
    for path, text in sources.items():
        names = path.rsplit(".", 1)[0].split("/")
        is_package = names[-1] == "__init__"
        module = ".".join(names[:-1] if is_package else names)
        part = part_of(module)
        if part is None:
            yield f"{path} belongs to no part: give it one in PYTHON_PARTS"
            continue
        parts, distributions = PYTHON_PARTS[part]
        imports = (python_imports(module, text, is_package) if path.endswith(".py")
                   else cython_imports(text))
        for imported in imports:
            top = imported.split(".")[0]
            if top == "reed":
                target = part_of(imported)
                if target != part and target not in parts:
                    yield f"{path} imports {imported}: {part} may use {', '.join(parts) or 'none'}"
            elif (top not in sys.stdlib_module_names and top not in ("libc", "cpython", "cython")
                  and top not in distributions):
                yield f"{path} imports {imported}: {part} may not depend on it"
            if top in ("ctypes", "cffi") and path not in C_LOADERS:
                yield f"{path} imports {imported}: _core.pyx is the only door to C"
        if not path.endswith(".py"):
            for header in re.findall(r'cdef extern from\s+["<]([^">]+)', text):
                if header != "reed.h" or part != "reed.creed":
                    yield f"{path} opens {header}: creed.pxd declares reed.h, and nothing else"


@functools.cache
def _python_sources():
    paths = sorted(path for pattern in ("*.py", "*.pyx", "*.pxd")
                   for path in (ROOT / "reed").rglob(pattern))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def python_sources():
    return dict(_python_sources())


# ---- the project -------------------------------------------------------------------------------


def test_c_includes_point_down():
    sources = c_sources()
    assert len(sources) > 20
    assert list(c_violations(sources)) == []


def test_python_imports_point_down():
    sources = python_sources()
    assert {"reed/__init__.py", "reed/_core.pyx", "reed/creed.pxd"} <= sources.keys()
    assert list(python_violations(sources)) == []


def test_importing_reed_loads_nothing(tmp_path):
    """A lazy package: durability works without the compiled core, `import reed` costs nothing."""
    done = subprocess.run(
        [sys.executable, "-c", "import reed, sys; print(*[m for m in sys.modules "
         "if m.startswith('reed.') or m == 'numpy'])"],
        capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == []


def test_durability_does_not_load_the_compiled_core(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import reed.durability, sys; print('reed._core' in sys.modules)"],
        capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "False"


# ---- the test itself: each offender must be named ------------------------------------------------


def representatives():
    """For each layer, a file that is in it today; layers without a file yet are left out."""
    found = {}
    for path in c_sources():
        found.setdefault(c_layer(path), path)
    return found


def upward_pairs():
    found = representatives()
    return [(found[low], found[high]) for low in found for high in found if low < high]


@pytest.mark.parametrize("low, high", upward_pairs(), ids="-".join)
def test_an_upward_include_is_found(low, high):
    sources = c_sources()
    target = Path(high).name if high.startswith("include/") else high
    sources[low] += f'\n#include "{target}"\n'
    assert any(f"csrc/{low}" in line and "points up" in line for line in c_violations(sources))


@pytest.mark.parametrize("header", C_FORBIDDEN)
def test_a_forbidden_header_is_found(header):
    sources = {**c_sources(), "plan.c": f"#include <{header}>\n"}
    assert list(c_violations(sources)) == [f"csrc/plan.c includes {header}"]


def test_a_c_file_without_a_layer_is_found():
    assert list(c_violations({**c_sources(), "newcomer.c": ""})) == [
        "csrc/newcomer.c has no layer: give it one in C_LAYERS"]


@pytest.mark.parametrize("path, line", [
    ("reed/errors.py", "from . import codes"),
    ("reed/errors.py", "import reed.files"),
    ("reed/codes.py", "from reed import files"),
    ("reed/codes.py", "from .files import encode"),
    ("reed/codes.py", "def late():\n    from .cli import main"),
    ("reed/codes.py", "import click"),
    ("reed/codes.py", "import ctypes"),
    ("reed/files/decoding.py", "from ..cli import main"),
    ("reed/files/decoding.py", "from ..durability import chain"),
    ("reed/files/decoding.py", "import rich.progress"),
    ("reed/durability/chain.py", "from .. import _core"),
    ("reed/durability/chain.py", "from ..codes import ReedSolomon"),
    ("reed/durability/chain.py", "from reed import ReedSolomon"),
    ("reed/__init__.py", "from .codes import ReedSolomon"),
    ("reed/_core.pyx", "from reed import codes"),
    ("reed/_core.pyx", "from reed.codes import ReedSolomon"),
    ("reed/_core.pyx", 'cdef extern from "plan.h":\n    pass'),
    ("reed/creed.pxd", 'cdef extern from "plan.h":\n    pass'),
    ("reed/newcomer.py", ""),
], ids=lambda value: value.replace("\n", " "))
def test_an_upward_import_is_found(path, line):
    sources = python_sources()
    sources[path] = f"{sources.get(path, '')}\n{line}\n"
    found = set(python_violations(sources)) - set(python_violations(python_sources()))
    assert found
    assert all(message.startswith(path) for message in found)
