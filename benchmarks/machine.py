"""What the figures were taken on: processor, caches, kernel, and the versions of everything."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import reed
from reed import _core

PACKAGES = ("numpy", "matplotlib", "Cython", "pytest-benchmark")


def _read(path):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _cpu_field(*names):
    """The first of these fields that /proc/cpuinfo has, of the first processor."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return None


def caches():
    """Level and kind of each cache of the first processor, mapped to bytes."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = (_read(folder / name) for name in ("type", "level", "size"))
        if kind and level and size and kind != "Instruction":
            units = {"K": 1 << 10, "M": 1 << 20}
            found[f"L{level}"] = int(size[:-1]) * units[size[-1]]
    return found


def last_cache_size():
    """Bytes of the largest cache; 0 where the system does not tell."""
    return max(caches().values(), default=0)


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _output(*command):
    """The first line that a command prints; None where it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True,
                              cwd=Path(__file__).parent)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip()


def newer_sources():
    """Sources of the core that are newer than the extension in use, relative to the repository:
    the figures are not theirs."""
    root = Path(__file__).resolve().parent.parent
    built = Path(_core.__file__).stat().st_mtime
    sources = [*(root / "csrc").rglob("*.[ch]"), *(root / "reed").glob("*.p[yx][xd]")]
    return sorted(str(path.relative_to(root)) for path in sources
                  if path.stat().st_mtime > built)


def describe(compiler):
    """Everything about this machine that a reader of the figures needs; plain data."""
    huge_pages = _read("/sys/kernel/mm/transparent_hugepage/enabled") or ""
    return {
        "cpu": _cpu_field("model name", "Model", "CPU part") or platform.processor() or "unknown",
        "cpu_family_model": "/".join(filter(None, (_cpu_field("cpu family"),
                                                   _cpu_field("model")))),
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "virtual": "hypervisor" in (_cpu_field("flags") or "").split(),
        "caches": caches(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "huge_pages": huge_pages.partition("[")[2].partition("]")[0] or None,
        "load_average": os.getloadavg()[0],
        "compiler": _output(compiler, "--version"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "reed": reed.__version__,
        "reed_commit": _output("git", "describe", "--always", "--dirty"),
        "reed_kernel": reed.info()["kernel"],
        "newer_sources": newer_sources(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def short_name(machine):
    """The processor's name as it can stand in a folder's name."""
    words = "".join(c if c.isalnum() else " " for c in machine["cpu"].lower()).split()
    dropped = {"r", "tm", "cpu", "processor", "core"}
    return "-".join(word for word in words if word not in dropped)[:40]
