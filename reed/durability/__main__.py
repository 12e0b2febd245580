"""`python -m reed.durability`: the same command as `reed durability`."""

from reed.cli.durability import command

if __name__ == "__main__":
    command(prog_name="reed durability")
