"""The C harness: compiles it, and runs its tasks through ctypes.

The overhead of Python lies outside the clock: one call from here times many calls there. Reed's
functions are those of the installed extension, so what is measured is what users run.
"""

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path

from benchmarks.contestant import Absent, Contender, Sample
from reed import _core

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "benchmarks"
COMPILER = shlex.split(os.environ.get("CC") or "cc")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wpedantic")
INCLUDE = ROOT / "csrc" / "include"

CODER_NONE, CODER_REED, CODER_REED_FUSED, CODER_ISAL = 0, 1, 2, 3
CODER_ISAL_XOR, CODER_ROOFLINE, CODER_COPY = 4, 5, 6
CHECKSUM_NONE, CHECKSUM_REED, CHECKSUM_ISAL = 0, 1, 2
WHEN_AFTER, WHEN_BEFORE = 0, 1


class HarnessError(RuntimeError):
    """The harness does not compile, or a call of it failed."""


def _run(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise HarnessError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build():
    """Path of the compiled harness; compiled only where no build of these very sources exists."""
    folder = ROOT / "benchmarks" / "native"
    sources = sorted(folder.glob("*.c"))
    digest = hashlib.sha256(_run([*COMPILER, "--version"]).encode())
    for text in (*COMPILER, *FLAGS):
        digest.update(text.encode() + b"\0")
    for path in (*sources, *sorted(folder.glob("*.h")), INCLUDE / "reed.h"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    built = BUILD / f"harness-{digest.hexdigest()[:16]}.so"
    if not built.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = built.with_suffix(f".{os.getpid()}.so")  # another run may build it too
        _run([*COMPILER, *FLAGS, "-shared", "-pthread", f"-I{INCLUDE}", *sources, "-o",
              unfinished])
        unfinished.rename(built)
    return built


class Task(ctypes.Structure):
    """struct task of native/harness.c."""

    _fields_ = [
        ("coder", c_uint32), ("checksum", c_uint32), ("when", c_uint32), ("status", c_uint32),
        ("function", c_void_p), ("context", c_void_p),
        ("checksum_function", c_void_p), ("kernel", c_void_p),
        ("scratch", c_void_p), ("position", POINTER(c_size_t)),
        ("stripe_count", c_size_t), ("source_count", c_size_t), ("target_count", c_size_t),
        ("sources", c_void_p), ("targets", c_void_p),
        ("size", c_size_t), ("block_size", c_size_t),
        ("source_crc32c", c_void_p), ("target_crc32c", c_void_p),
    ]


class CodeOptions(ctypes.Structure):
    """struct reed_code_options of reed.h."""

    _fields_ = [
        ("struct_size", c_size_t), ("generator", c_int), ("data_shards", c_uint32),
        ("parity_shards", c_uint32), ("flags", c_uint32), ("matrix", c_void_p),
        ("kernel", c_void_p), ("allocator", c_void_p),
    ]


_HARNESS = {
    "harness_task_size": (c_size_t, []),
    "harness_call": (None, [POINTER(Task), c_size_t]),
    "harness_time": (c_uint64, [POINTER(Task), c_size_t, c_size_t, POINTER(c_uint64),
                                POINTER(c_uint64)]),
    "harness_time_threads": (c_int, [POINTER(POINTER(Task)), POINTER(c_int), c_size_t, c_size_t,
                                     c_size_t, POINTER(c_uint64)]),
    "harness_roofline_set": (c_void_p, [c_size_t]),
    "harness_roofline_set_name": (c_char_p, [c_void_p]),
    "harness_roofline_variant": (c_void_p, [c_void_p, c_size_t]),
    "harness_roofline_variant_name": (c_char_p, [c_void_p]),
    "harness_roofline_variant_is_nontemporal": (c_int, [c_void_p]),
    "harness_roofline_variant_run": (c_void_p, [c_void_p]),
}

_CORE = {
    "reed_status_message": (c_char_p, [c_int]),
    "reed_kernel_at": (c_void_p, [c_size_t]),
    "reed_kernel_name": (c_char_p, [c_void_p]),
    "reed_kernel_is_supported": (c_int, [c_void_p]),
    "reed_kernel_find": (c_int, [c_char_p, POINTER(c_void_p)]),
    "reed_kernel_crc32c": (c_uint32, [c_void_p, c_uint32, c_void_p, c_size_t]),
    "reed_code_create": (c_int, [POINTER(CodeOptions), POINTER(c_void_p)]),
    "reed_code_destroy": (None, [c_void_p]),
    "reed_code_row": (c_int, [c_void_p, c_uint32, POINTER(c_uint8)]),
    "reed_plan_create_encode": (c_int, [c_void_p, POINTER(c_void_p)]),
    "reed_plan_create_reconstruct": (c_int, [c_void_p, POINTER(c_uint32), c_size_t,
                                             POINTER(c_uint32), c_size_t, POINTER(c_void_p)]),
    "reed_plan_create_matrix": (c_int, [c_void_p, c_void_p, c_void_p, c_size_t, c_size_t,
                                        POINTER(c_void_p)]),
    "reed_plan_destroy": (None, [c_void_p]),
    "reed_plan_source_count": (c_uint32, [c_void_p]),
    "reed_plan_source": (c_uint32, [c_void_p, c_uint32]),
    "reed_plan_apply_scratch_size": (c_size_t, [c_void_p]),
    "reed_plan_apply_crc32c_scratch_size": (c_size_t, [c_void_p]),
}


def _load(path, prototypes):
    loaded = ctypes.CDLL(str(path))
    for name, (result, arguments) in prototypes.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


@functools.cache
def library():
    """The compiled harness."""
    loaded = _load(build(), _HARNESS)
    if loaded.harness_task_size() != ctypes.sizeof(Task):
        raise HarnessError(f"struct task has {loaded.harness_task_size()} bytes, "
                           f"harness.Task {ctypes.sizeof(Task)}")
    return loaded


@functools.cache
def core():
    """The functions of reed.h, in the installed extension."""
    return _load(_core.__file__, _CORE)


def address(function):
    """A ctypes function as a plain pointer."""
    return ctypes.cast(function, c_void_p).value


class NativeContender(Contender):
    """A task of the harness."""

    def __init__(self, name, stripes, sources, targets, prove=None, **fields):
        """
        :param stripes: the ring that the task works on.
        :param sources: shard positions within a stripe, in the order the coder wants.
        :param targets: likewise.
        :param prove: called by `prove`, after one call on stripe 0.
        :param fields: further fields of `Task`; NumPy arrays stand for pointers to them.
        """
        super().__init__(name)
        self.stripes = stripes
        has_target_behind = fields.get("coder") == CODER_ISAL_XOR
        tables = {"sources": stripes.table([*sources, *targets] if has_target_behind else sources),
                  "targets": stripes.table(targets)}
        arrays = {key: value for key, value in fields.items() if hasattr(value, "ctypes")}
        self._held = (tables, arrays, fields)  # the task points into them
        self.task = Task(
            position=ctypes.pointer(stripes.position), stripe_count=stripes.count,
            source_count=len(sources), target_count=len(targets), size=stripes.shard_size)
        for key, value in {**fields, **tables}.items():
            setattr(self.task, key, value.ctypes.data if hasattr(value, "ctypes") else value)
        self.touched_bytes = (len(sources) + len(targets)) * stripes.shard_size
        self._prove = prove

    def call_on_first_stripe(self):
        self.stripes.position.value = 0
        library().harness_call(ctypes.byref(self.task), 1)
        self._require_status()

    def prove(self):
        if self._prove is not None:
            self._prove(self)

    def time(self, lead_calls, calls):
        running, preemptions = c_uint64(), c_uint64()
        nanoseconds = library().harness_time(ctypes.byref(self.task), lead_calls, calls,
                                             ctypes.byref(running), ctypes.byref(preemptions))
        self._require_status()
        return Sample(nanoseconds, running.value, preemptions.value)

    def _require_status(self):
        if self.task.status:
            message = core().reed_status_message(self.task.status).decode()
            raise HarnessError(f"{self.name}: {message}")


class ThreadedContender(Contender):
    """Several native contenders at once, each in a thread, on a processor and on stripes of its
    own."""

    def __init__(self, name, contenders, processors):
        super().__init__(name)
        self.contenders = contenders
        self.stripes_per_call = len(contenders)
        self.touched_bytes = sum(contender.touched_bytes for contender in contenders)
        self._tasks = (POINTER(Task) * len(contenders))(
            *(ctypes.pointer(contender.task) for contender in contenders))
        self._processors = (c_int * len(contenders))(*processors[:len(contenders)])

    def prove(self):
        for contender in self.contenders:
            contender.prove()

    def time(self, lead_calls, calls):
        nanoseconds = c_uint64()
        status = library().harness_time_threads(self._tasks, self._processors,
                                                len(self.contenders), lead_calls, calls,
                                                ctypes.byref(nanoseconds))
        if status != 0:
            raise HarnessError(f"{self.name}: {len(self.contenders)} threads cannot be started")
        return Sample(nanoseconds.value, nanoseconds.value, 0)


def find_kernel(name=None):
    """A kernel of reed as a pointer; None: the preferred one. Raises Absent."""
    kernel = c_void_p()
    status = core().reed_kernel_find(name.encode() if name else None, ctypes.byref(kernel))
    if status != 0:
        message = core().reed_status_message(status).decode()
        raise Absent(f"kernel {name or 'by default'}: {message}")
    return kernel.value


def kernel_names():
    """The kernels of reed that this machine can run, the preferred one first."""
    names, position = [], 0
    while kernel := core().reed_kernel_at(position):
        if core().reed_kernel_is_supported(kernel):
            names.append(core().reed_kernel_name(kernel).decode())
        position += 1
    return names
