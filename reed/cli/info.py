"""``reed info``: what this installation can do."""

import platform

import click

from .exits import Exit
from .session import verb


@click.command(short_help="Show version, kernels, generators.",
               epilog="Example: reed info --json")
@verb
def command(session):
    """Show the version, the kernels this processor can run, and the generators."""
    import numpy

    from .. import get_include, info, kernels

    facts = {**info(), "usable_kernels": list(kernels()), "include": get_include(),
             "python": platform.python_version(), "numpy": numpy.__version__,
             "machine": platform.machine()}

    def lines():
        yield f"reed {facts['version']}, Python {facts['python']}, NumPy {facts['numpy']}"
        yield f"kernel: {facts['kernel']}"
        yield f"usable here ({facts['machine']}): {', '.join(facts['usable_kernels'])}"
        yield f"generators: {', '.join(facts['generators'])}"
        yield f"C header: {facts['include']}"

    return session.finish(Exit.HEALTHY, facts, lines())
