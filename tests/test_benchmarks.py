"""The benchmark suite itself: its account, its proofs, its manners. Nothing here asserts a time."""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy
import pytest

# At the end: an installed reed goes before the one that lies beside the benchmarks.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import accounting, cases, evaluate, measure, memory, oracle, report, run
from benchmarks import store as store_benchmark
from benchmarks.contestant import Absent, Contender, Contestant, PythonContender, Sample
from benchmarks.job import HOT, ROTATING, Job
from c_build import require

TINY_CASE = "encode-4+2-16KiB"


class Metronome(Contender):
    """A contender whose samples are known beforehand."""

    def __init__(self, name, samples, stripes_per_call=1):
        super().__init__(name)
        self.samples = list(samples)
        self.stripes_per_call = stripes_per_call
        self.calls = []

    def prove(self):
        pass

    def time(self, lead_calls, calls):
        self.calls.append(calls)
        nanoseconds, preemptions = self.samples.pop(0) if len(self.samples) > 1 else \
            self.samples[0]
        return Sample(nanoseconds * calls, nanoseconds * calls // 2, preemptions)


class Orchestra(Contestant):
    name = "orchestra"

    def __init__(self, contenders):
        self.contenders = contenders

    def encode(self, job, which):
        return self.contenders[which]


def metronome_field(**contenders):
    """A field without libraries: contestant "orchestra", and the peer "tuba" that is missing."""
    field = evaluate.Field.__new__(evaluate.Field)
    field.contestants = {"orchestra": Orchestra(contenders)}
    field.missing = {"tuba": "No module named 'tuba'"}
    return field


def entrant(which):
    return cases.Entrant(which, "orchestra", "encode", {"which": which})


def metronome_case(entrants, targets=(), **job):
    shape = {"data_shards": 10, "parity_shards": 4, "shard_size": 1000, **job}
    return cases.Case("tiny", "a tiny case", "encode", Job(**shape), tuple(entrants),
                      tuple(targets))


# ---- the account ---------------------------------------------------------------------------------

def test_only_data_bytes_count():
    assert accounting.data_bytes(10, 65536) == 655360
    assert Job(10, 4, 1000).data_bytes == Job(10, 1, 1000, lost=(3,)).data_bytes == 10_000


def test_rates_are_data_bytes_per_second():
    assert accounting.rates([1000, 2000], 10_000) == pytest.approx([10e9, 5e9])


def test_ratios_are_taken_pair_by_pair():
    # The machine slows down threefold in the middle; the subject is twice as fast throughout.
    reference = numpy.array([10.0, 10, 30, 30, 30])
    assert accounting.ratio(2 * reference, reference) == accounting.Spread(2, 2, 2)
    # The pairs give 1/4, 2, 4; the medians of the two sides alone would give 1.
    assert accounting.ratio([1, 2, 8], [4, 1, 2]).median == 2
    with pytest.raises(ValueError, match="2 samples cannot be paired with 3"):
        accounting.ratio([1, 2], [1, 2, 3])


def test_a_result_holds_rates_and_ratios_of_the_subject():
    field = metronome_field(fast=Metronome("fast", [(1000, 0)]),
                            slow=Metronome("slow", [(3000, 0)]))
    case = metronome_case([entrant("fast"), entrant("slow")],
                          [cases.Target(2.5, ("slow",), "fast"),
                           cases.Target(3.5, ("slow",), "fast")])
    result = evaluate.run_case(field, case, 5, None)
    assert result["entrants"]["fast"]["rate"]["median"] == pytest.approx(10e9)
    assert result["entrants"]["slow"]["ratio"]["median"] == pytest.approx(3, rel=1e-3)
    assert [target["status"] for target in result["targets"]] == ["met", "missed"]


def test_several_stripes_in_one_call_all_count():
    field = metronome_field(one=Metronome("one", [(1000, 0)]),
                            two=Metronome("two", [(1000, 0)], stripes_per_call=2))
    result = evaluate.run_case(field, metronome_case([entrant("two"), entrant("one")]), 3, None)
    assert result["entrants"]["one"]["ratio"]["median"] == pytest.approx(2)


def test_the_fastest_reference_counts():
    field = metronome_field(a=Metronome("a", [(1000, 0)]), b=Metronome("b", [(1500, 0)]),
                            c=Metronome("c", [(4000, 0)]))
    case = metronome_case([entrant("a"), entrant("b"), entrant("c")],
                          [cases.Target(2, ("b", "c"), "a")])
    (target,) = evaluate.run_case(field, case, 3, None)["targets"]
    assert target["measured"] == pytest.approx(1.5, rel=1e-3)
    assert target["status"] == "missed"


# ---- sampling ------------------------------------------------------------------------------------

def test_disturbed_samples_are_taken_again():
    # One calibrating sample, then: clean, disturbed, clean.
    steady = Metronome("steady", [(2_000_000, 0)] * 2 + [(3_500_000, 1), (2_000_000, 0)])
    measured = measure.interleave([steady], 2, HOT)
    assert measured.disturbed_count == 0
    assert measured.nanoseconds[:, 0].tolist() == [2_000_000, 2_000_000]


def test_what_is_always_disturbed_counts_the_time_it_ran_and_is_reported():
    measured = measure.interleave([Metronome("busy", [(2_000_000, 1)])], 3, HOT)
    assert measured.disturbed_count == 3
    assert measured.nanoseconds[:, 0].tolist() == [1_000_000] * 3


def test_samples_are_interleaved():
    order = []

    class Noted(Metronome):
        def time(self, lead_calls, calls):
            order.append(self.name)
            return super().time(lead_calls, calls)

    contenders = [Noted(name, [(2_000_000, 0)]) for name in "abc"]
    measure.interleave(contenders, 3, HOT)
    assert "".join(order).endswith("abcabcabc")


def test_pinning_ends_with_the_block():
    before = measure.processors()
    with measure.pinned(before[-1]):
        assert len(measure.processors()) == 1 or not hasattr(measure.os, "sched_setaffinity")
    assert measure.processors() == before


# ---- memory --------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [1, 64, 410, 4096, 4096 - 192, 16384, 65536 - 64, 1 << 20])
def test_shards_are_aligned_and_skewed(size):
    stride = memory.shard_stride(size)
    assert stride >= size and stride % 64 == 0
    assert min(stride % 4096, -stride % 4096) >= 192


@pytest.mark.parametrize("last_cache_size", [0, 32 << 20, 1 << 30])
def test_a_ring_is_larger_than_the_caches(last_cache_size):
    touched = memory.ring_count(14 << 20, last_cache_size) * (14 << 20)
    assert touched >= max(500 * 10**6, 4 * last_cache_size)


def test_a_table_points_to_the_shards_of_each_stripe():
    stripes = memory.Stripes(410, 5, 14 << 20, False, 0)
    rows = stripes.rows()
    assert stripes.table([4, 0]).tolist() == [[rows[4].ctypes.data, rows[0].ctypes.data]]
    assert rows.ctypes.data % 4096 == 0


# ---- proofs --------------------------------------------------------------------------------------

def test_the_oracle_knows_its_field():
    # 0x11d: 2 * 0x80 = 0x1d; and 3 * 7 = 9, as polynomials.
    product = oracle.multiply(numpy.array([[2], [3]], numpy.uint8),
                              numpy.array([[0x80, 7]], numpy.uint8))
    assert product.tolist() == [[0x1D, 14], [0x9D, 9]]


def test_a_wrong_contender_stops_the_run():
    matrix = numpy.ones((1, 2), numpy.uint8)
    sources = numpy.array([[1, 2], [4, 8]], numpy.uint8)
    oracle.require_product("right", matrix, sources, numpy.array([[5, 10]], numpy.uint8))
    with pytest.raises(AssertionError, match="liar computed wrong bytes"):
        oracle.require_product("liar", matrix, sources, numpy.array([[5, 11]], numpy.uint8))


def test_nothing_is_timed_before_it_is_proven():
    class Liar(Metronome):
        def prove(self):
            raise AssertionError("liar computed wrong bytes")

    liar = Liar("liar", [(1000, 0)])
    with pytest.raises(AssertionError, match="liar computed wrong bytes"):
        evaluate.run_case(metronome_field(liar=liar), metronome_case([entrant("liar")]), 3, None)
    assert liar.calls == []


# ---- what is missing is named --------------------------------------------------------------------

def test_a_missing_peer_is_named_and_the_rest_is_measured():
    field = metronome_field(a=Metronome("a", [(1000, 0)]))
    case = metronome_case([entrant("a"), cases.Entrant("tuba", "tuba", "encode")],
                          [cases.Target(2, ("tuba",), "a")])
    result = evaluate.run_case(field, case, 3, None)
    assert result["entrants"]["tuba"]["absent"] == "tuba is missing: No module named 'tuba'"
    assert result["entrants"]["a"]["rate"] is not None
    assert result["targets"][0]["status"] == "absent"
    assert "tuba ABSENT" in report.case_line(result)


def test_an_operation_that_a_contestant_lacks_is_named():
    with pytest.raises(Absent, match="orchestra has no object-decode"):
        Orchestra({}).contender("object-decode", Job(10, 4, 410))


def test_peers_that_cannot_be_loaded_are_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "zfec", None)  # what import does with None: ImportError
    present, missing = evaluate.peers.load()
    assert "zfec" in missing and "zfec" not in present
    assert missing["zfec"]


# ---- the cases -----------------------------------------------------------------------------------

def all_cases():
    return [*cases.CASES, *cases.size_survey(), *cases.geometry_survey(), *cases.object_survey(),
            *cases.thread_survey(2)]


def test_names_are_unique_and_labels_exist():
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    for case in all_cases():
        labels = [each.label for each in case.entrants]
        assert len(set(labels)) == len(labels), case.name
        for target in case.targets:
            assert {target.subject, *target.against} <= set(labels), case.name


def test_every_case_with_a_target_is_in_the_quick_run():
    late = [case.name for case in cases.CASES if case.targets and not case.is_quick]
    # These two repeat 100+100 and 200+56 at a second size.
    assert late == ["encode-100+100-64KiB", "encode-200+56-64KiB"]


def test_cases_have_room_for_what_they_lose():
    for case in all_cases():
        assert len(case.job.lost) <= case.job.parity_shards, case.name
        assert case.job.level in (HOT, ROTATING)


# ---- end to end ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The document of one tiny quick run, through the command."""
    require("cc")
    folder = tmp_path_factory.mktemp("benchmarks")
    assert run.main(["--quick", "--only", TINY_CASE, "--rounds", "3", "--output",
                     str(folder)]) == 0
    text = (folder / "results.md").read_text()
    assert "4+2 encode, 16 KiB shards" in text and "Noise floor" in text
    return json.loads((folder / "results.json").read_text())


def test_schema(document):
    """Whoever changes these keys raises evaluate.SCHEMA and this number."""
    assert document["schema"] == evaluate.SCHEMA == 2
    assert sorted(document) == [
        "cases", "contestants", "date", "machine", "missing_peers", "mode", "noise", "rounds",
        "schema", "seconds", "surveys"]
    (result,) = document["cases"]
    assert sorted(result) == ["disturbed", "entrants", "group", "job", "name", "of_roofline",
                              "rounds", "targets", "title"]
    assert sorted(result["job"]) == ["block_size", "data_shards", "layout", "level", "lost",
                                     "parity_shards", "shard_size"]
    for entry in result["entrants"].values():
        assert sorted(entry) == ["absent", "contestant", "detail", "operation", "rate", "ratio"]
    for target in result["targets"]:
        assert sorted(target) == ["against", "at_least", "limit", "measured", "status", "subject"]
    assert {"cpu", "caches", "system", "compiler", "python", "reed", "reed_kernel"} <= set(
        document["machine"])


def test_the_subject_and_the_roofline_were_measured(document):
    entrants = document["cases"][0]["entrants"]
    for label in ("reed", cases.ROOFLINE, cases.ROOFLINE_NT):
        spread = entrants[label]["rate"]
        assert 0 < spread["low"] <= spread["median"] <= spread["high"], label
    assert re.search("vectors|strips", entrants[cases.ROOFLINE]["detail"])
    assert document["cases"][0]["of_roofline"]["median"] > 0


def test_no_case_of_that_name(capsys):
    assert run.main(["--only", "no such case"]) == 3
    assert "no case has a name with no such case" in capsys.readouterr().err


@pytest.mark.parametrize("name", [
    "reconstruct-10+4-1lost-64KiB", "encode+crc32c-10+4-64KiB",
    "crc32c+reconstruct-10+4-2lost-64KiB", "replicas-3+crc32c-64KiB", "encode-10+1-16KiB",
    "encode-10+4-16KiB-avx2",
    "repair-128+128-64lost-4KiB", "python-small-decode", "python-crc32c+reconstruct",
    "python-crc32c-4KiB", "threads-2-stripes"])
def test_every_kind_of_contender_proves_itself(name):
    """Proofs only: each entrant that can be had here gives right bytes."""
    require("cc")
    field = evaluate.Field()
    (case,) = [each for each in cases.CASES if each.name == name]
    proven = []
    for each in case.entrants:
        if each.contestant == "roofline":
            continue  # choosing a variant takes timings; the tiny run above proves it
        try:
            proven.append(field.contender(each, case.job))
        except Absent as reason:
            print(f"{each.label}: {reason}")
    assert proven, f"no entrant of {name} can be had here"


def test_a_python_contender_counts_its_calls():
    calls = []
    contender = PythonContender("counted", lambda: calls.append(1), lambda result: None)
    sample = contender.time(2, 5)
    assert len(calls) == 7 and sample.nanoseconds > 0


# ---- the store -----------------------------------------------------------------------------------


def test_the_store_beside_its_peers(tmp_path, capsys):
    samples = tmp_path / "samples.json"
    assert store_benchmark.main(["--folder", str(tmp_path / "work"), "--size", "300K", "--rounds",
                                 "2", "--only", "3 copies", "--digest", "sha256", "--json",
                                 str(samples)]) == 0
    (found,) = json.loads(samples.read_text())["surveys"].values()
    assert list(found) == ["write", "put", "cat k", "get", "cat all", "scrub", "digest", "crc32c"]
    assert all(len(each["seconds"]) == 2 and min(each["seconds"]) > 0 for each in found.values())
    text = capsys.readouterr().out
    assert "times write" in text and "times cat k" in text and "times cat all" in text
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize(("text", "size"), [("7", 7), ("3K", 3072), ("2G", 2 << 30)])
def test_sizes_of_the_store_benchmark(text, size):
    assert store_benchmark.size_argument(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1KK", "1.5M", "x"])
def test_what_is_no_size(text):
    with pytest.raises(argparse.ArgumentTypeError):
        store_benchmark.size_argument(text)
