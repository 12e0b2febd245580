"""Runs what README.md shows, and puts what it printed where README.md shows it.

``python tests/readme.py`` rewrites the output in README.md; test_readme.py fails when it differs.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
# A stripe id is random, so README shows one and any other is as good.
STRIPE_ID = re.compile(r"\bstripe [0-9a-f]{32}\b")
SHOWN_ID = "stripe 5bd1b5e0a4f0493d8c3a7f2e9d6c8b10"


def _run(command, folder):
    environment = {**os.environ, "NO_COLOR": "1", "LC_ALL": "C", "COLUMNS": "100",
                   "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return STRIPE_ID.sub(SHOWN_ID, done.stdout)


def with_real_output(text):
    """The text with the output of every ``console`` block, and of the ``python`` block in the
    ``text`` block behind it, as it is on this machine now."""
    with tempfile.TemporaryDirectory(prefix="reed-readme-") as folder:
        pieces = re.split(r"(```\w*\n.*?```\n)", text, flags=re.DOTALL)
        printed = None
        for number, piece in enumerate(pieces):
            if piece.startswith("```console\n"):
                commands = [line[2:] for line in piece.splitlines() if line.startswith("$ ")]
                shown = "".join(f"$ {command}\n{_run(['bash', '-c', command], folder)}"
                                for command in commands)
                pieces[number] = f"```console\n{shown}```\n"
            elif piece.startswith("```python\n"):
                code = piece.removeprefix("```python\n").removesuffix("```\n")
                printed = _run([sys.executable, "-c", code], folder)
            elif piece.startswith("```text\n"):
                pieces[number] = f"```text\n{printed}```\n"
        return "".join(pieces)


if __name__ == "__main__":
    README.write_text(with_real_output(README.read_text()))
