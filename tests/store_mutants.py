"""Breaks the store in small ways, one at a time, and shows that the simulation notices.

    python tests/store_mutants.py [NAME...]      all mutants, or those whose name contains a NAME

Each mutant is one change of text in a copy of ``reed``; the trials of simulate/store_trials.py, or
the tests named with it, are run there until one fails. Exits 1 when a mutant is missed or does not
apply. The extension is taken as it is built.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import reed

ROOT = Path(__file__).resolve().parent.parent
TRIALS = "tests/simulate/store_trials.py 0 2000"
STORE = "-m pytest -q -x tests/test_store.py"
OVERLAPS = "-m pytest -q -x tests/test_store_overlaps.py"
FENCE = "-m pytest -q -x tests/test_store_fence.py"
RETIRE = "-m pytest -q -x tests/test_store_retire.py"
RECORDS = "-m pytest -q -x tests/test_store_records.py"


@dataclass
class Mutant:
    name: str
    file: str
    old: str
    new: str
    test: str = TRIALS


MUTANTS = [
    Mutant("take a target away from those who are about to ask it", "reed/store/roster.py",
           "            member.is_present, member.own = False, None\n",
           "            member.is_present, member.own, member.target = False, None, None\n", STORE),
    Mutant("let a host that may not write take the lock", "reed/store/roster.py",
           "                    if not takes_over:\n", "                    if False:\n", FENCE),
    Mutant("sweep for a host that was taken over", "reed/store/folder.py",
           "                    allow()\n", "", FENCE),
    Mutant("forget a repair that was cancelled", "reed/store/scrub.py",
           "                self._note_rewritten(tally)\n            raise\n",
           "                pass\n            raise\n", STORE),
    Mutant("hide a put behind a migration's copy", "reed/store/writer.py",
           "        elif any(other.migrated_from is not None and",
           "        elif any(other.migrated_from is None and", OVERLAPS),
    Mutant("count a slot that was written out during a put", "reed/store/writer.py",
           "            elif not member.is_voter:\n", "            elif False:\n", OVERLAPS),
    Mutant("give a target back what it alone had", "reed/store/rebuild.py",
           "        state = settle([*answers.values(), own], roster.config.counted)\n", "",
           OVERLAPS),
    Mutant("give up a target that is there", "reed/store/rebuild.py",
           "    if member.is_voter:\n", "    if False:\n", OVERLAPS),
    Mutant("write two entries of one version", "reed/store/roster.py",
           "{entry for entry in entries if entry.version not in versions}", "entries", RECORDS),
    Mutant("recover what a tombstone speaks of", "reed/store/recover.py",
           "any(not entry.is_object for entry in known.values())", "False", OVERLAPS),
    Mutant("forget when a write saw the clock first", "reed/store/store.py",
           "            reclaim.observe(self._roster, self._seen)\n", "            pass\n",
           OVERLAPS),
    Mutant("skip the fsync of shards", "reed/files/writing.py",
           "        self._temporary.sync()\n", ""),
    Mutant("skip the fsync of records", "reed/store/record.py",
           "        temporary.sync()\n", ""),
    Mutant("skip the read-back of shards", "reed/store/writer.py",
           "    if reads_back:\n", "    if False:\n"),
    Mutant("skip the read-back of records", "reed/store/record.py",
           "        require_same(temporary, data)\n", ""),
    Mutant("count a duplicate shard twice", "reed/store/audit.py",
           "for shard in good if shard.is_counted]",
           "for shard in good + good if shard.is_counted]",
           STORE),
    Mutant("count an entry twice", "reed/store/catalogue.py",
           "votes[entry] = votes.get(entry, 0) + 1", "votes[entry] = votes.get(entry, 0) + 2",
           RECORDS),
    Mutant("treat an unknown shard as missing", "reed/store/examine.py",
           'if shard.state in ("corrupt", "missing")}', 'if shard.state != "good"}'),
    Mutant("treat an unreadable record as absent", "reed/store/roster.py",
           "        except (OSError, FormatError):\n            return None\n\n    def is_damaged",
           "        except (OSError, FormatError):\n            return ()\n\n    def is_damaged",
           STORE),
    Mutant("treat a target that is away as one that says no", "reed/store/catalogue.py",
           "    unknown = counted - known\n", "    unknown = 0\n"),
    Mutant("repair from an unverified shard", "reed/files/reading.py",
           "        states = numpy.frombuffer(bytearray(states), numpy.uint8)\n",
           "        states = numpy.frombuffer(bytearray(states), numpy.uint8)\n"
           "        states[states == CORRUPT] = GOOD\n"),
    Mutant("let a stale target vote", "reed/store/catalogue.py",
           "    return any(slot.target_id == target_id and slot.state == \"active\" "
           "for slot in config.slots)",
           "    return True", RECORDS),
    # In one place: of the two that ask for it at a commit, each covers for the other.
    Mutant("commit on a minority", "reed/store/entries.py",
           "return self.counted // 2 + 1",
           "return self.counted // 2"),
    Mutant("commit before publishing", "reed/store/writer.py",
           "        self._workers.map(lambda writer: writer.publish(), writers)\n"
           "        self._require_quorum(config, self._domains(config, writers))\n"
           "        entry = replace(",
           "        entry = replace("),
    Mutant("acknowledge without a quorum", "reed/store/writer.py",
           "if len(domains) < config.write_quorum:", "if not domains:"),
    Mutant("keep a failed slot in the epoch", "reed/store/roster.py",
           "        if numbers:\n            config = self.config\n",
           "        if False:\n            config = self.config\n"),
    Mutant("reclaim without looking at the successor", "reed/store/reclaim.py",
           'if found.report.status != "healthy" or not is_verified:', "if False:",
           STORE),
    Mutant("reclaim while a target is away", "reed/store/reclaim.py",
           "        if refused is not None:\n", "        if False:\n",
           STORE),
    Mutant("forget a tombstone by the clock alone", "reed/store/reclaim.py",
           "            if state.undecided or None in answers.values():\n"
           "                plan.kept[key]",
           "            if False:\n                plan.kept[key]"),
    Mutant("remove the entry before the shards", "reed/store/reclaim.py",
           "                freed += sum(self._remove_shards(key, entry) for entry in old)\n", "",
           STORE),
    Mutant("take an orphan at first sight", "reed/store/reclaim.py",
           "return all(str(entry.version) != version for entry in (*state.committed, "
           "*state.undecided))",
           "return True"),
    Mutant("forget who has what when records are lost", "reed/store/roster.py",
           "    kept = set(state.undecided if own is None else own)\n",
           "    kept = set(own or ())\n    kept -= set(state.undecided)\n", RECORDS),
    Mutant("write without looking whether another host took over", "reed/store/roster.py",
           "        if stamp == member.stamp:\n            return\n",
           "        if stamp is not None:\n            return\n"),
    Mutant("acknowledge without looking behind the writes", "reed/store/roster.py",
           "        self._require_not_fenced(key, members, errors)\n", "", FENCE),
    Mutant("heal a configuration without looking who has the store", "reed/store/roster.py",
           "                    self._replace_config(member, member.own)\n",
           "                    write_config(member.target, member.own, member.slot.target_id)\n"
           "                    member.stamp = stamp_of(member.target)\n"),
    Mutant("replace the records of the host that was taken over from", "reed/store/roster.py",
           "takeovers=self.config.takeovers + 1", "takeovers=self.config.takeovers", FENCE),
    Mutant("let a slot leave that has shards", "reed/store/retire.py",
           "        if held:\n", "        if False:\n", RETIRE),
    Mutant("let a slot leave while another does not answer", "reed/store/retire.py",
           "    if unknown is not None:\n", "    if False:\n", RETIRE),
    Mutant("let slots leave that were not told", "reed/store/roster.py",
           "                self._replace_config(member, config)\n"
           "            except LeaseHeld:\n                raise\n"
           "            except (OSError, ReedError) as error:\n                raise Uncertain(",
           "            except LeaseHeld:\n                raise\n"
           "            except (OSError, ReedError) as error:\n                raise Uncertain(",
           RETIRE),
    Mutant("let fewer slots decide as they are", "reed/store/retire.py",
           "        roster.accept(key, asked=(state, answers))\n", "        pass\n", RETIRE),
    Mutant("overlook what was finished without a slot", "reed/store/catalogue.py",
           "        if len(counted - held.keys()) >= config.majority:\n",
           "        if False:\n", RETIRE),
    Mutant("believe only those that leave", "reed/store/catalogue.py",
           "        if is_begun and (", "        if True and (", RETIRE),
    Mutant("wait for slots that never voted", "reed/store/catalogue.py",
           "        if len(has_just_this & config.counted_ids) >= config.majority:\n",
           "        if False:\n", RETIRE),
    Mutant("give slots a vote of which the others do not know", "reed/store/roster.py",
           "            self._require_taken(len(told & before), self.config.majority)\n", "",
           RETIRE),
    Mutant("write new slots before those that vote", "reed/store/roster.py",
           "self._write_config(config, before)\n", "self._write_config(config, config.ids)\n",
           RETIRE),
    Mutant("hold a lock of slots that left", "reed/store/roster.py",
           "if len(self.config.counted_ids & locked) >= self.config.majority:\n", "if True:\n",
           RETIRE),
    Mutant("believe a target that is to come in", "reed/store/rebuild.py",
           "wanted = entries_for(state, None)\n", "wanted = entries_for(state, own)\n", RETIRE),
    Mutant("leave a new target what nobody knows", "reed/store/rebuild.py",
           "                keys |= roster.keys_on(member)\n", "                pass\n", RETIRE),
    Mutant("write a configuration that cannot be read", "reed/store/roster.py",
           "        config.check()\n", "", RETIRE),
    Mutant("place shards where nobody came", "reed/store/entries.py",
           "return self.is_counted and not self.is_draining", "return not self.is_draining",
           RETIRE),
    Mutant("let slots leave without all keys", "reed/store/roster.py",
           "counted if asks_all else counted", "counted if False else counted", RETIRE),
    Mutant("lose the journal with those that leave", "reed/store/retire.py",
           "                                if member.number not in numbers])\n",
           "                                if member.number in numbers])\n", RETIRE),
    Mutant("commit to a slot that left", "reed/store/writer.py",
           "        if not roster.members.keys() >= set(entry.placement) - {None}:",
           "        if False:", RETIRE),
    Mutant("identity without the key", "reed/store/entries.py",
           "for text in (store_id, key, str(self)):", "for text in (store_id, 'key', ''):",
           STORE),
]


def run(mutant: Mutant | None, folder: Path, test: str) -> bool:
    """Whether the test passes with the mutant in place."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *test.split()], cwd=folder, env=environment,
                          capture_output=True, text=True)
    return done.returncode == 0


def main(names: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS
              if not names or any(name in mutant.name for name in names)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="store-mutants-") as base:
        folder = Path(base)
        for part in ("reed", "tests"):
            shutil.copytree(Path(reed.__file__).parent if part == "reed" else ROOT / part,
                            folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        for mutant in chosen:
            path = folder / mutant.file
            text = path.read_text()
            if text.count(mutant.old) != 1:
                print(f"does not apply  {mutant.name}", flush=True)
                missed += 1
                continue
            path.write_text(text.replace(mutant.old, mutant.new))
            is_missed = run(mutant, folder, mutant.test)
            path.write_text(text)
            missed += is_missed
            print(f"{'MISSED' if is_missed else 'caught':<14}  {mutant.name}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
