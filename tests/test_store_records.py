"""Who is right when targets disagree, and records as a hostile boundary."""

import copy
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reed
from reed.store import layout, record
from reed.store.catalogue import choose, may_vote, settle
from reed.store.clock import Observation, jump
from reed.store.domains import effective, margins
from reed.store.entries import Code, Config, Entry, Slot, Version, entries_from_content
from reed.store.roster import entries_for

CODE = Code("native", 2, 1, 4096)


def entry(sequence, kind="object", nonce="0" * 16):
    code = CODE if kind == "object" else None
    return Entry(kind, Version(1, sequence, nonce), 5.0, "me", 10, code=code,
                 placement=(0, 1, 2) if code else (), written=(0, 1, 2) if code else ())


OLD, NEW = entry(1), entry(2)


@pytest.mark.parametrize("answers, counted, newest, is_certain", [
    ([(OLD,), (OLD,), (OLD,)], 3, OLD, True),
    ([(OLD,), (OLD,), ()], 3, OLD, True),
    ([(), (), ()], 3, None, True),
    ([(NEW, OLD), (OLD,), (OLD,)], 3, OLD, True),  # written to one, by a crash: never was
    ([(NEW, OLD), (NEW, OLD), (OLD,)], 3, NEW, True),
    ([(NEW, OLD), (OLD,), None], 3, OLD, False),  # the damaged record may have it
    ([(NEW, OLD), (OLD,)], 3, OLD, False),  # the one that is away may have it
    ([(NEW, OLD), (NEW, OLD)], 3, NEW, True),
    ([(OLD,), None, None], 3, None, False),
    ([(OLD,)], 3, None, False),
    ([(), None], 3, None, False),
    ([], 3, None, False),
    ([(NEW, OLD)] * 2 + [(OLD,)] * 2, 5, OLD, False),
    ([(NEW, OLD)] * 2 + [(OLD,)] * 3, 5, OLD, True),
    ([(NEW, OLD)] * 3, 5, NEW, True),
    ([(NEW, OLD), (OLD,), (OLD,)], 4, OLD, True),
    ([(NEW, OLD), (NEW, OLD), (OLD,)], 4, OLD, False),
])
def test_a_majority_of_all_slots_decides(answers, counted, newest, is_certain):
    state = settle(answers, counted)
    assert (state.newest, state.is_certain) == (newest, is_certain)


def test_what_was_unfinished_below_the_newest_does_not_matter():
    state = settle([(NEW, OLD), (NEW,)], 3)
    assert state.newest == NEW and state.undecided == (OLD,) and state.is_certain


def test_a_copy_that_a_migration_did_not_finish_leaves_the_object_certain():
    copy = replace(NEW, migrated_from=str(OLD.version))
    state = settle([(copy, OLD), (OLD,), None], 3)
    assert state.undecided == (copy,) and state.newest == OLD and state.is_certain
    for other in (replace(entry(3), migrated_from=str(NEW.version)), entry(3, "tombstone")):
        assert not settle([(other, copy, OLD), (OLD,), None], 3).is_certain


def test_a_tombstone_that_is_being_forgotten_leaves_it_certain_that_nothing_is_there():
    gone = entry(3, "tombstone")
    state = settle([(gone,), (), None], 3)
    assert state.undecided == (gone,) and state.newest is None and state.is_certain
    assert settle([(gone, entry(2, "tombstone")), (entry(2, "tombstone"),), None], 3).is_certain
    assert not settle([(gone, OLD), (), None], 3).is_certain
    assert not settle([(gone, OLD), (OLD,), None], 3).is_certain


def test_entries_of_one_version_that_differ_are_different_entries():
    other = replace(NEW, size=11)
    assert settle([(NEW,), (other,), ()], 3).committed == ()


def test_what_a_record_should_hold():
    """What is committed, and what may be, where it was; a lost record may have held the latter."""
    state = settle([(NEW, OLD), (OLD,), None], 3)
    assert (state.committed, state.undecided) == ((OLD,), (NEW,))
    assert entries_for(state, (NEW, OLD)) == {NEW, OLD}
    assert entries_for(state, (OLD,)) == {OLD} and entries_for(state, None) == {NEW, OLD}
    dead = settle([(NEW, OLD), (OLD,), (OLD,)], 3)
    assert entries_for(dead, (NEW, OLD)) == {OLD} == entries_for(dead, None)
    again = replace(OLD, actor="another")  # the same version, made again from shards
    assert entries_for(settle([(again,), (again,), None], 3), (OLD,)) == {again}


def test_a_tombstone_is_an_entry():
    state = settle([(entry(3, "tombstone"), OLD)] * 2 + [(OLD,)], 3)
    assert state.current is None and state.newest.kind == "tombstone"


# ---- configurations ------------------------------------------------------------------------------


def config(epoch, states="aaa", is_settled=True, nonce="0" * 16, count=3):
    names = {"a": "active", "s": "stale", "y": "syncing"}
    slots = tuple(Slot(number, f"{number:032x}", f"/{number}", f"d{number}", names[states[number]],
                       True, False, True) for number in range(count))
    return Config("f" * 32, epoch, nonce, is_settled, "host", CODE, "sha256", 2, 24.0, 0, False,
                  slots)


def held(*configs):
    return {f"{number:032x}": one for number, one in enumerate(configs) if one is not None}


@pytest.mark.parametrize("configs, epoch", [
    ((config(1), config(1), config(1)), 1),
    ((config(2), config(1), config(1)), 1),  # the writer crashed after the first slot
    ((config(2), config(2), config(1)), 2),
    ((config(2, "asa"), config(1), None), 2),  # the other active one may have it
    ((config(2, "aas"), config(1), None), 1),  # the other active one answers and has it not
    ((config(1), None, None), 1),
    ((config(3, "aas"), config(3, "aas"), config(1)), 3),
    ((config(2, nonce="1" * 16, states="aas"), config(2, states="asa"), config(2, states="asa")),
     2),
])
def test_the_configuration_in_force(configs, epoch):
    assert choose(held(*configs)).epoch == epoch


def test_nothing_held_is_nothing_chosen():
    assert choose({}) is None


def test_who_may_vote():
    target = f"{1:032x}"
    assert may_vote(config(2), target, config(2))
    assert may_vote(config(2), target, config(3))  # of an epoch that was never in force
    assert not may_vote(config(2), target, config(1))
    assert may_vote(config(2, is_settled=False), target, config(1))  # nothing was committed since
    assert not may_vote(config(2), target, config(2, nonce="1" * 16))
    assert not may_vote(config(2, "asa"), target, config(2))
    assert not may_vote(config(2, "aya"), target, config(2))
    assert not may_vote(config(2), f"{7:032x}", config(2))
    assert not may_vote(config(2), target, None)


# ---- records -------------------------------------------------------------------------------------

STORE, TARGET = "a" * 32, "b" * 32


def packed(content=(), key="key"):
    return record.pack("object", STORE, TARGET, key, list(content))


def test_entries_and_configurations_come_back():
    for one in (NEW, entry(3, "tombstone"), replace(NEW, migrated_from=str(OLD.version))):
        body = record.unpack(packed([one.content()]), "path")
        assert entries_from_content(body["content"]) == (one,)
    content = json.loads(json.dumps(config(7, "asy").content()))
    assert Config.from_content(content) == config(7, "asy")


def test_every_truncation_and_every_flipped_bit_is_found():
    data = packed([NEW.content()])
    for size in range(len(data)):
        with pytest.raises(record.CorruptRecord):
            record.unpack(data[:size], "path")
    with pytest.raises(record.CorruptRecord):
        record.unpack(data + b"x", "path")
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= 1 << position % 8
        with pytest.raises(record.CorruptRecord):
            record.unpack(bytes(broken), "path")


@given(st.binary(max_size=300))
def test_any_bytes_are_safe(data):
    with pytest.raises(record.CorruptRecord):
        record.unpack(data, "path")


def variants(value):
    """Values that JSON can hold instead of one."""
    yield from (None, True, -1, 0, 1 << 70, 1e300, "", "x", "\ud800", [], [[]], [None], {}, [value])


@pytest.mark.parametrize("make, parse", [
    (lambda: [NEW.content()], entries_from_content),
    (lambda: config(3).content(), Config.from_content),
], ids=["entries", "config"])
def test_any_content_is_an_answer_or_corrupt(make, parse):
    """Every field replaced by every kind of value, at any depth: nothing but CorruptRecord."""
    model = json.loads(json.dumps(make()))

    def places(value, path=()):
        yield path
        items = value.items() if isinstance(value, dict) else (
            enumerate(value) if isinstance(value, list) else ())
        for key, item in list(items):
            yield from places(item, (*path, key))

    refused = 0
    for path in places(model):
        for instead in variants(model):
            broken = [copy.deepcopy(model)]
            spot = broken
            for key in (0, *path)[:-1]:
                spot = spot[key]
            spot[(0, *path)[-1]] = instead
            try:
                parse(broken[0])
            except record.CorruptRecord:
                refused += 1
    assert refused > 100


# ---- names, places, domains, time ----------------------------------------------------------------


@given(st.text(min_size=1, max_size=300).filter(lambda key: key.isprintable()))
def test_names_tell_their_keys(key):
    try:
        layout.check_key(key)
    except reed.InvalidParameter:
        return
    name = layout.record_name(key).removeprefix("objects/")
    assert layout.parse_record_name(name) == key
    for takeovers in (1, 12):
        again = layout.record_name(key, takeovers).removeprefix("objects/")
        assert layout.parse_record_name(again) == key and again != name
    assert all(len(part.encode()) < 200 and part not in (".", "..") and part[0] != "."
               for part in name.split("/"))
    version = str(Version(1, 2, "0" * 16))
    shard = layout.shard_name(key, version, 7).removeprefix("shards/")
    assert layout.parse_shard_name(shard) == (key, version, 7)


def test_shards_are_spread_over_domains_and_rotated():
    domains = {number: f"rack {number // 2}" for number in range(8)}
    starts = set()
    for number in range(200):
        placement = layout.place(f"key{number}", 6, domains, {})
        assert len(set(placement)) == 6
        assert len({domains[slot] for slot in placement[:4]}) == 4
        starts.add(placement[0])
    assert starts == set(domains)
    later = layout.place("key", 6, {0: "a", 1: "b", 2: "c", 3: "d"}, {9: "e"})
    assert set(later[:4]) == {0, 1, 2, 3} and later[4:] == (9, None)


def test_domains_that_share_a_device_are_one():
    found = effective({0: "a", 1: "b", 2: "b", 3: "c"}, {0: "x", 1: "x", 2: "y", 3: None})
    assert found == {0: "a = b", 1: "a = b", 2: "a = b", 3: "c"}
    assert margins(["a", "a", "b", "c"], 2) == (2, 1, ())
    assert margins(["a", "a", "a", "b"], 2) == (2, 0, ("a",))
    assert margins(["a"], 2) == (-1, -1, ("a",))


@pytest.mark.parametrize("wall, uptime, boot, is_jump", [
    (100, 100, "a", False), (100, 900, "a", True), (900, 100, "a", True), (-5, 100, "a", True),
    (100, 3, "b", False), (40 * 86400, 3, "b", True), (-5, 3, "b", True),
])
def test_a_clock_that_jumps_is_noticed(wall, uptime, boot, is_jump):
    before = Observation(1e9, 1e6, "a")
    now = Observation(1e9 + wall, 1e6 + uptime if boot == "a" else uptime, boot)
    assert (jump(before, now) is not None) == is_jump


def test_stripe_ids_depend_on_all_of_the_identity():
    rng = random.Random(1)
    seen = {Version(epoch, sequence, f"{rng.getrandbits(64):016x}").stripe_id(store, key)
            for epoch in (1, 2) for sequence in (1, 2) for store in ("a", "b")
            for key in ("k", "l")}
    assert len(seen) == 16
    assert Version(1, 1, "0" * 16).stripe_id("ab", "c") != Version(1, 1, "0" * 16).stripe_id(
        "a", "bc")
