"""`python -m reed.durability`: the same command as `reed durability`, with the same exit codes."""

import sys

from reed.cli.app import run

if __name__ == "__main__":
    sys.exit(run(["durability", *sys.argv[1:]]))
