"""The same list of tasks on one process, many, or a Dask cluster, with identical results.

Every task carries its own seed and the results come back in the order of the tasks, so where they
ran cannot be seen in the numbers. On a cluster reed must be installed on the workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from reed.errors import InvalidParameter

from .checks import integer

Mapper = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def task_map(workers: Any) -> Iterator[Mapper]:
    """A map function over `workers`: an int (1 runs in this process), the address of a Dask
    scheduler ("tcp://host:8786"), "dask" for a local cluster of one worker per core, or a
    dask.distributed.Client, which stays open."""
    if isinstance(workers, int) and not isinstance(workers, bool):
        integer("workers", workers, 1, 1024)
        if workers == 1:
            yield map
            return
        # "spawn" neither inherits locks nor threads, and works on every platform.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool.map
        return
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise InvalidParameter(
            f"workers = {workers!r} needs Dask: pip install 'reed-storage[dask]'"
        ) from None
    if isinstance(workers, Client):
        yield _mapper(workers)
    elif workers == "dask":
        with LocalCluster(n_workers=os.cpu_count() or 1, threads_per_worker=1,
                          dashboard_address=None) as cluster, Client(cluster) as client:
            yield _mapper(client)
    elif isinstance(workers, str):
        try:
            client = Client(workers)
        except (ValueError, OSError) as error:  # no such address, or nobody answers there
            raise InvalidParameter(
                f"workers = {workers!r}: allowed is a number of processes, 'dask' or the address "
                f"of a Dask scheduler that answers ({error})"
            ) from None
        with client:
            yield _mapper(client)
    else:
        raise InvalidParameter(
            f"workers = {workers!r}: allowed is an int, a scheduler address, 'dask' or a Client"
        )


def _mapper(client: Any) -> Mapper:
    def run(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        # pure=False: equal tasks are still separate tasks, as everywhere else.
        return iter(client.gather(client.map(function, list(tasks), pure=False)))

    return run
