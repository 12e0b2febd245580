"""``reed compat``: put reed under programs that were written for other libraries, and take it away
again."""

import click

from .exits import Exit
from .session import verb


def _status_lines(status):
    module = status["module"] or "none: pyeclib is not installed and reed is not in front"
    yield f"pyeclib.ec_iface: {module}"
    if status["active"]:
        stock = status["installed_pyeclib"]
        yield ("active: reed"
               + (f", in front of pyeclib {stock}" if stock else "; pyeclib is not installed"))
    elif status["module"]:
        yield f"active: pyeclib {status['installed_pyeclib']}"
    if status["hook"]:
        yield f"hook: {status['hook']}"
    if status["switched_off"]:
        yield "switched off: REED_PYECLIB=0 is set here"
    yield f"codes: {', '.join(status['ec_types']) or 'none'}"


@click.command(short_help="Put reed under programs written for other libraries.",
               epilog="Example: reed compat pyeclib --status")
@click.argument("library", type=click.Choice(["pyeclib"]))
@click.option("--install", "action", flag_value="install",
              help="From the next start of a program in this environment on, it gets reed.")
@click.option("--remove", "action", flag_value="remove", help="Take that back.")
@click.option("--status", "action", flag_value="status", default="status",
              help="Tell which one is active and from where (the default).")
@verb
def command(session, library, action):
    """Stand in for LIBRARY in this Python environment.

    pyeclib: OpenStack Swift in this environment then encodes and decodes with reed (see
    docs/swift.md). pyeclib itself stays as it is and does the codes that reed does not have.
    Programs that run keep what they have until they start again; REED_PYECLIB=0 in the environment
    of one leaves pyeclib alone there.
    """
    from ..compat.pyeclib_hook import install, remove, status

    lines = []
    if action == "install":
        lines.append(f"wrote {install()}")
    elif action == "remove":
        path = remove()
        lines.append(f"deleted {path}" if path else "nothing to remove: the hook is not installed")
    found = status()
    lines.extend(_status_lines(found))
    return session.finish(Exit.HEALTHY, {"action": action, **found}, lines)
