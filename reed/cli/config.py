"""``reed config``: where the C libraries of this installation are, and how to use them."""

import click

from .exits import Exit
from .session import verb

# option -> (what it prints, help)
CHOICES = {
    "cflags": "Compiler flags.",
    "libs": "Linker flags; programs find the shared library where it is.",
    "static-libs": "The static library, instead of --libs.",
    "include-dir": "The folder of reed.h.",
    "library-dir": "The folder of libreed.",
    "pkgconfig-dir": "The folder of reed.pc, for PKG_CONFIG_PATH.",
    "isal-dir": "The folder of the drop-in for ISA-L, for LD_LIBRARY_PATH.",
}


def _values():
    from .. import get_include, get_library_dir
    from ..compat.isal import get_isal_dir

    include, library = get_include(), get_library_dir()
    return {
        "cflags": f"-I{include}",
        # No loader looks into a Python package by itself, hence the run path.
        "libs": f"-L{library} -lreed -Wl,-rpath,{library}",
        "static-libs": f"{library}/libreed.a",
        "include-dir": include,
        "library-dir": library,
        "pkgconfig-dir": f"{library}/pkgconfig",
        "isal-dir": get_isal_dir(),
    }


def _options(function):
    for name, text in reversed(CHOICES.items()):
        function = click.option(f"--{name}", is_flag=True, help=text)(function)
    return function


@click.command(short_help="Show how C programs build against reed.",
               epilog="Example: reed config --cflags --libs")
@_options
@verb
def command(session, **wanted):
    """Show flags and folders for C and C++ callers.

    Chosen ones are printed on one line, in the order of the list below; without a choice, all
    with their names.

      cc daemon.c $(reed config --cflags --libs)
    """
    values = _values()
    chosen = [name for name in values if wanted[name.replace("-", "_")]]
    lines = ([" ".join(values[name] for name in chosen)] if chosen
             else [f"{name + ':':15}{value}" for name, value in values.items()])
    return session.finish(Exit.HEALTHY, {name: values[name] for name in chosen or values}, lines)
