"""README.md shows what really happens: its commands and its Python are run and compared."""

import readme


def test_readme_shows_the_real_output():
    text = readme.README.read_text()
    assert text.count("```console\n") >= 4
    assert readme.with_real_output(text) == text
