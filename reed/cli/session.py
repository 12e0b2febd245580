"""One run of one verb: where its words, its result and its failure go.

Results go to standard output, as text or with ``--json`` as one JSON object; warnings, errors and
progress go to standard error, progress only when that is a terminal. Where standard output carries
data (``-o -``), the result goes to standard error as well.
"""

import contextlib
import errno
import functools
import json
import os
import sys
import traceback

import click

from .exits import Exit, advice_for, exit_of


class Session:
    """What every verb gets as its first argument."""

    def __init__(self, verb, stop, *, as_json=False, quiet=False, verbose=False, debug=False):
        self.verb = verb
        self.cancel = stop
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.debug = debug
        self.data_on_stdout = False

    def _print(self, text):
        click.echo(text, err=self.data_on_stdout)

    def finish(self, code, facts, lines):
        """Prints the result and returns its exit code.

        ``facts`` is what JSON gets, a dictionary; ``lines`` what people get, strings.
        """
        if self.as_json:
            self._print(json.dumps({"verb": self.verb, "exit_code": int(code), **facts}))
        elif not self.quiet:
            for line in lines:
                self._print(line)
        return code

    def warn(self, message):
        click.echo(f"{click.style('warning:', fg='yellow')} {message}", err=True)

    def fail(self, error):
        """Tells an exception in one line, with what to do next; returns its exit code."""
        code = exit_of(error)
        message = describe_error(error)
        advice = advice_for(error, in_store=self.verb.startswith("store "))
        if self.as_json:
            values = {name: _plain(value) for name, value in vars(error).items()}
            self._print(json.dumps({
                "verb": self.verb, "exit_code": int(code),
                "error": {"type": type(error).__name__, "message": message, "advice": advice,
                          "values": values}}))
        if self.debug:
            traceback.print_exception(error)
        with contextlib.suppress(OSError):
            # Nobody may be reading standard error either; the exit code still tells.
            click.echo(f"{click.style(f'reed {self.verb}'.rstrip() + ':', fg='red')} {message}"
                       f"{f' ({advice})' if advice else ''}", err=True)
        return code

    @contextlib.contextmanager
    def progress(self, label):
        """Gives a ``progress(done, total)`` for ``reed.files``, or None where nobody looks."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(True),
                   TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def describe_error(error):
    """An exception as a sentence that names the file and the value."""
    if isinstance(error, KeyboardInterrupt):
        # A second signal leaves at any place, even where temporaries were being removed.
        return "interrupted by a second signal"
    if exit_of(error) == Exit.INTERRUPTED:
        return "interrupted; temporaries were removed"
    if isinstance(error, OSError) and error.strerror:
        names = [os.fsdecode(name) for name in (error.filename, error.filename2)
                 if isinstance(name, (str, bytes, os.PathLike))]
        if error.errno == errno.EPIPE:
            return "standard output was closed by its reader before the end"
        return ": ".join([*names, error.strerror])
    return str(error) or type(error).__name__


def _plain(value):
    """A value that JSON takes; what it cannot take, as text."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def verb(function):
    """Makes a function a verb's callback: adds the options that every verb has, replaces them by a
    ``Session``, and turns exceptions into exit codes."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
    @click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
    @click.option("-v", "--verbose", is_flag=True, help="Print every detail.")
    @click.option("--debug", is_flag=True, help="On an error, show where it arose (traceback).")
    @click.pass_context
    @functools.wraps(function)
    def wrapper(context, *arguments, as_json, quiet, verbose, debug, **options):
        if quiet and verbose:
            raise click.UsageError("-q and -v contradict each other: give one of them.")
        session = Session(context.command_path.removeprefix("reed "), context.obj,
                          as_json=as_json, quiet=quiet, verbose=verbose, debug=debug)
        try:
            return function(session, *arguments, **options)
        except click.ClickException:
            raise
        except (Exception, KeyboardInterrupt) as error:
            return session.fail(error)

    return wrapper
