"""The audit as a page: self-contained, complete, and safe to open whatever the keys say."""

import re
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from cli_run import run
from reed.files import medium
from reed.store.report import render
from store_folders import data_of, make


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)
    with make(tmp_path) as made:
        made.put("photos/1", data_of(1, 40_000))
        made.put("<script>alert(1)</script>", data_of(2, 10_000))
        yield made


def test_the_page_holds_the_evidence(store, tmp_path):
    shutil.rmtree(tmp_path / "disk2")
    page = render(store.audit(), "7.5 nines a year")
    assert "DEGRADED" in page and "7.5 nines a year" in page and "photos/1" in page
    assert str(tmp_path / "disk3") in page and "slot 2" in page
    assert "fail together and count as one failure domain" in page


def test_the_page_needs_no_network_and_runs_no_script(store):
    page = render(store.audit())
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(src|href)\s*=\s*['\"]?(https?:)?//", page)
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == 3
    for plot in plots:
        ElementTree.fromstring(plot)


def test_an_empty_store_has_a_page(tmp_path):
    with make(tmp_path) as store:
        assert "no objects" in render(store.audit())


def test_the_command_writes_and_never_replaces_unasked(store, tmp_path):
    page = tmp_path / "audit.html"
    run("store", "audit", "-s", tmp_path / "disk0", "--html", page, expect=0)
    assert "nines a year for an object as it stands" in page.read_text()
    page.write_text("mine")
    run("store", "audit", "-s", tmp_path / "disk0", "--html", page, expect=3)
    assert page.read_text() == "mine"
    run("store", "audit", "-s", tmp_path / "disk0", "--html", page, "-f", expect=0)
    assert page.read_text() != "mine"
    run("store", "audit", "-s", tmp_path / "disk0", "-f", expect=3)
