"""Results as text: the lines of a run as it goes, and the Markdown table that it leaves."""

from benchmarks.evaluate import ABSENT, MET, MISSED

MARKS = {MET: "met", MISSED: "**missed**", ABSENT: "**absent**"}


def rate(bytes_per_second):
    """Data GB/s in three digits."""
    gigabytes = bytes_per_second / 1e9
    return f"{gigabytes:.3g}" if gigabytes < 100 else f"{gigabytes:.0f}"


def machine_lines(machine):
    """The machine, one line for each thing."""
    caches = ", ".join(f"{name} {size >> 10} KiB" for name, size in machine["caches"].items())
    virtual = ", virtual machine" if machine["virtual"] else ""
    packages = ", ".join(f"{name} {version or 'not installed'}"
                         for name, version in machine["packages"].items())
    return [
        f"CPU: {machine['cpu']} (family/model {machine['cpu_family_model']}), "
        f"{machine['processors']} processors{virtual}",
        f"Caches: {caches or 'unknown'}",
        f"System: {machine['system']} {machine['architecture']}; huge pages "
        f"{machine['huge_pages'] or 'unknown'}; governor {machine['governor'] or 'unknown'}; "
        f"load {machine['load_average']:.2f} at the start",
        f"Compiler: {machine['compiler']}; {machine['python']}; {packages}",
        f"reed {machine['reed']} ({machine['reed_commit'] or 'no commit'}), kernel "
        f"{machine['reed_kernel']}",
        *(f"STALE: {path} is newer than the extension that is measured; build it again"
          for path in machine["newer_sources"]),
    ]


def noise_lines(noise):
    return [f"{where}: median {spread['median']:.3f}, quartiles {spread['low']:.3f} to "
            f"{spread['high']:.3f}" for where, spread in noise.items()]


def case_line(result):
    """One case in one line, for the terminal."""
    parts = []
    for label, entry in result["entrants"].items():
        parts.append(f"{label} ABSENT" if entry["absent"] else
                     f"{label} {rate(entry['rate']['median'])}")
    verdicts = []
    for target in result["targets"]:
        found = "-" if target["measured"] is None else f"{target['measured']:.2f}"
        verdicts.append(f"{target['status'].upper()} {found} of {target['at_least']} x "
                        f"{' / '.join(target['against'])}")
    return f"{result['title']}\n    {'; '.join(parts)} GB/s" + (
        "\n    " + "; ".join(verdicts) if verdicts else "")


def _spread(spread):
    if spread is None:
        return "–"
    return f"{spread['median']:.2f} ({spread['low']:.2f}–{spread['high']:.2f})"


def _target_rows(results):
    for result in results:
        for target in result["targets"]:
            subject = result["entrants"][target["subject"]]
            measured = "–" if target["measured"] is None else f"{target['measured']:.2f}"
            yield [
                result["title"],
                rate(subject["rate"]["median"]) if subject["rate"] else "–",
                " / ".join(target["against"]),
                " / ".join(rate(result["entrants"][label]["rate"]["median"])
                           if result["entrants"][label]["rate"] else "–"
                           for label in target["against"]),
                measured, f"{target['at_least']:g}", MARKS[target["status"]],
                "–" if target["limit"] is None else f"{target['limit']:.2f}",
                _spread(result["of_roofline"]),
            ]


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def markdown(document):
    """The whole result as a Markdown page."""
    results = document["cases"]
    counts = {mark: sum(target["status"] == mark for result in results
                        for target in result["targets"]) for mark in MARKS}
    lines = [
        f"# reed beside its peers, {document['date']}", "",
        *(f"- {line}" for line in machine_lines(document["machine"])),
        "- Contestants: " + "; ".join(f"{name} {version}" for name, version in
                                      document["contestants"].items()),
        *(f"- **Missing peer: {name}** ({reason})"
          for name, reason in document["missing_peers"].items()),
        *(f"- Noise floor, the same work against itself, {line}"
          for line in noise_lines(document["noise"])),
        f"- {document['mode']} run, {document['seconds']:.0f} s; medians of "
        f"{document['rounds']} interleaved rounds, ratios pair by pair with their quartiles", "",
        "Rates are data GB/s: data_shards × shard_size / seconds, whatever else is read or "
        "written.", "",
        f"## Targets: {counts[MET]} met, {counts[MISSED]} missed, {counts[ABSENT]} absent", "",
        "The limit is the ratio that the roofline itself has in the same run: no coder that "
        "touches the same bytes can have more. The last column is reed's share of the roofline.",
        "",
        *_table(["case", "reed", "against", "its rate", "ratio", "target", "", "limit",
                 "of the roofline"], _target_rows(results)), "",
        "## All cases", "",
    ]
    for result in results:
        lines += [f"### {result['title']}", ""]
        rows = []
        for label, entry in result["entrants"].items():
            if entry["absent"]:
                rows.append([label, "**absent**", "–", entry["absent"]])
            else:
                rows.append([label, rate(entry["rate"]["median"]), _spread(entry["ratio"]),
                             entry["detail"] or ""])
        subject = next(iter(result["entrants"]))
        lines += [*_table(["", "GB/s", f"{subject} is so many times as fast", ""], rows), ""]
        if result["disturbed"]:
            lines += [f"{result['disturbed']} of {result['rounds'] * len(rows)} samples were "
                      "disturbed by other programs; they count the time that their thread ran.",
                      ""]
    return "\n".join(lines)
