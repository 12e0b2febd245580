"""The command group: finds the verbs, and turns whatever happens into an exit code."""

import importlib
import os
import sys

import click

from .. import __version__
from .exits import MEANINGS, Exit
from .session import Session
from .stopping import StopRequest

# One module each, with a click.Command named ``command``; in the order of ``reed --help``.
VERBS = ("encode", "decode", "verify", "repair", "salvage", "inspect", "info", "config",
         "durability", "store", "drill", "claim",
         "compat")


class Verbs(click.Group):
    """Imports a verb's module when the verb is needed."""

    def list_commands(self, ctx):
        return VERBS

    def get_command(self, ctx, name):
        return importlib.import_module(f".{name}", __package__).command if name in VERBS else None


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"],
                                          "max_content_width": 100},
             epilog=f"Exit codes: {MEANINGS}.")
@click.version_option(__version__, prog_name="reed")
def reed():
    """Protects files against lost disks and silent corruption.

    encode spreads a file over shards; any data_shards of them give exactly that file back. Every
    block carries a checksum, and nothing unverified is ever returned or used to rebuild.

    \b
      reed encode photos.tar -k 10 -m 4 -o disk0 -o disk1 -o disk2
      reed verify disk0 disk1 disk2
      reed repair disk0 disk1 disk2
      reed decode disk0 disk1 disk2 -o photos.tar
    """


def run(arguments=None):
    """Runs one command; returns its exit code."""
    with StopRequest() as stop:
        try:
            code = reed.main(arguments, prog_name="reed", standalone_mode=False, obj=stop)
        except click.ClickException as error:
            error.show()
            code = Exit.USAGE
        except (Exception, KeyboardInterrupt) as error:
            # From outside a verb: a module that does not import, a closed standard output.
            code = Session("", stop).fail(error)
        return _close_output(int(code or 0))


def _close_output(code):
    """Flushes standard output; one that was closed by its reader is not an error of its own."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would be tried again, and complained about, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or Exit.INPUT_OUTPUT
    return code
