"""Options that several verbs share."""

import os
import re

import click

_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}


def _available_processors():
    return len(os.sched_getaffinity(0))


class Size(click.ParamType):
    """A number of bytes, with K for KiB and M for MiB."""

    name = "size"

    def convert(self, value, param, ctx):
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+)([KM]?)(iB)?", value)
        if match is None or (match[3] and not match[2]):
            self.fail(f"{value!r} is not a size: write bytes, or 64K, or 1M.", param, ctx)
        return int(match[1]) * _SIZE_UNITS[match[2]]


shards = click.argument("shards", nargs=-1, required=True, type=click.Path(), metavar="SHARDS...")

threads = click.option("--threads", type=click.IntRange(1, 256), metavar="N",
                       default=_available_processors, show_default="all processors",
                       help="How many threads work.")

force = click.option("-f", "--force", is_flag=True, help="Replace files that exist.")

choose_stripe = click.option("--stripe-id", metavar="HEX",
                             help="Which object, where SHARDS hold several: 32 hexadecimal "
                                  "digits, as `reed inspect` shows.")
