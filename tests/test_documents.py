"""The documents say what is so: README's output is real, and what others name exists."""

import re

import pytest

import readme

ROOT = readme.README.parent


def test_readme_shows_the_real_output():
    text = readme.README.read_text()
    assert text.count("```console\n") >= 4
    assert readme.with_real_output(text) == text


def named_tests(text):
    """(file, function or None) for each `tests/…`, `test_x.py` and `::function` in backquotes."""
    path = None
    for match in re.finditer(r"`(?:tests/)?([\w/]+\.(?:py|c))?(?:::(\w+))?`", text):
        path = match[1] or path
        if match[1] or match[2]:
            yield path, match[2]


def test_security_names_tests_that_exist():
    named = list(named_tests((ROOT / "SECURITY.md").read_text()))
    assert len(named) > 30
    missing = [
        (path, function) for path, function in named
        if not (ROOT / "tests" / path).is_file()
        or (function and f"def {function}(" not in (ROOT / "tests" / path).read_text())]
    assert missing == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_paths_in_documents_exist(name):
    text = (ROOT / name).read_text()
    paths = re.findall(r"`((?:csrc|reed|tests|tools|examples|benchmarks|\.ci)/[\w./-]*)`", text)
    paths += re.findall(r"\]\(([\w./-]+)\)", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
