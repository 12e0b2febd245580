"""The ``reed`` command: a face over ``reed.files``, ``reed.codes`` and ``reed.durability``.

``app.py`` holds what all verbs share around them (errors, exit codes, signals), ``options.py`` the
options they share, ``display.py`` what people read; every other module is one verb and exposes a
``click.Command`` named ``command``. This module only says what to install when click is missing.
"""

import sys

NEEDED = ("click", "rich")


def main(arguments=None):
    """Runs the command line; returns the exit code. ``arguments`` default to the process's own."""
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        print(f"reed: the command line needs {error.name}: pip install 'reed-storage[cli]'",
              file=sys.stderr)
        return 3
    return run(arguments)
