"""Proves that the sdist stands alone: builds it, installs it in an empty environment, and runs its
own tests there, far from the repository. Run by `make check-sdist`; arguments go to pytest.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run(command, check=True, **options)


def main(pytest_arguments):
    with tempfile.TemporaryDirectory(prefix="reed-sdist-") as folder:
        folder = Path(folder)
        run(sys.executable, "-m", "build", "--sdist", "--outdir", folder, ROOT)
        (sdist,) = folder.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "tree", filter="data")
        (tree,) = (folder / "tree").iterdir()

        venv.create(folder / "environment", with_pip=True)
        python = folder / "environment/bin/python"
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            f"{sdist}[cli,durability,test]")
        # PYTHONSAFEPATH keeps the unbuilt package beside the tests from shadowing the installed.
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}
        run(python, "-c", "import reed, sys; sys.exit(not reed.__file__.startswith(sys.prefix))",
            cwd=tree, env=environment)
        run(python, "-m", "pytest", *pytest_arguments, cwd=tree, env=environment)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
