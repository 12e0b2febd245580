"""Scenarios as data: a fleet, a scheme and a claim in one TOML file, each input with its source.

A number is written plainly (exact, from the text around it) or as a table that says more:

    failures_per_disk_year = { value = 0.0157, low = 0.0131, high = 0.02, source = "Drive Stats" }
    skip_verification      = { value = 1e-3, low = 1e-4, high = 1e-2, assumption = true }

`low` and `high` enclose it with 95 %; `assumption = true` marks it as invented, in the file and in
every report. Everything is checked, and an error names the file, the key, the value and what is
allowed.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from reed.errors import InvalidParameter

from .checks import InvalidInput, shown
from .clocks import Duration, Exponential, Fixed, Uniform, Weibull
from .fleet import (
    Burst,
    Fleet,
    LatentErrors,
    Migration,
    Outages,
    Range,
    ReadErrors,
    Repair,
    Scrub,
    SilentCorruption,
)
from .schemes import LocalReconstruction, ReedSolomon, Replication, Scheme


class ScenarioError(InvalidParameter):
    """A scenario file is wrong. Attributes: `path`, `key`, `value`, `allowed`."""

    def __init__(self, path: str, key: str, value: Any, allowed: str):
        super().__init__(f"{path}: {key} = {shown(value)}: allowed is {allowed}")
        self.path = path
        self.key = key
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True)
class Input:
    """One documented input: where it stands, its value, its source, whether it was invented."""

    key: str
    value: Any
    source: str
    assumption: bool
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario file, checked and built. `inputs` is everything that a report lists."""

    name: str
    title: str
    description: str
    scheme: Scheme
    fleet: Fleet
    nines: float
    unit: str
    sources: tuple[str, ...]
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class _Rule:
    """What one key may hold: a number in a range, an integer, a flag, a text or a choice."""

    kind: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()
    hint: str = ""

    @property
    def allowed(self) -> str:
        if self.kind == "flag":
            return "true or false"
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "text":
            return "a text"
        words = "an integer" if self.kind == "integer" else "a number"
        if math.isfinite(self.low):
            words += f" {'above' if self.above else 'of at least'} {self.low:g}"
        if math.isfinite(self.high):
            words += f"{' and' if math.isfinite(self.low) else ''} at most {self.high:g}"
        return words + (f" ({self.hint})" if self.hint else "")

    def accepts(self, value: Any) -> bool:
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind == "choice":
            return value in self.choices
        if self.kind == "text":
            return isinstance(value, str)
        kinds = (int,) if self.kind == "integer" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        try:
            if not math.isfinite(value):
                return False
        except OverflowError:  # an integer beyond any double
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)


def _number(low: float = 0.0, high: float = math.inf, above: bool = False, hint: str = "") -> _Rule:
    return _Rule("number", low, high, above, hint=hint)


FRACTION = _number(0, 1, hint="a fraction: 0.01 is one per cent")
CLOCK = {
    "kind": _Rule("choice", choices=("exponential", "weibull", "fixed", "uniform")),
    "mean_hours": _number(above=True),
    "shape": _number(1),
    "scale_hours": _number(above=True),
    "location_hours": _number(),
}
# Sections by dotted name; a section marked [] is an array of tables.
SECTIONS: dict[str, dict[str, _Rule]] = {
    "scenario": {"title": _Rule("text"), "description": _Rule("text")},
    "scheme": {
        "kind": _Rule("choice", choices=("replication", "reed-solomon", "local-reconstruction")),
        "copies": _Rule("integer", 1, 255),
        "data_shards": _Rule("integer", 1, 256),
        "parity_shards": _Rule("integer", 0, 255),
        "local_groups": _Rule("integer", 1, 128),
        "global_parities": _Rule("integer", 0, 64),
    },
    "claim": {
        "nines": _number(0, 40, above=True),
        "unit": _Rule("choice", choices=("object", "disk_set", "fleet")),
    },
    "fleet": {
        "disks": _Rule("integer", 1, 10**8),
        "capacity_bytes": _number(1),
        "used_share": _number(0, 1, above=True, hint="a fraction: 0.7 is 70 per cent"),
        "failures_per_disk_year": _number(0, 1, above=True,
                                          hint="a rate: 0.0157 for 1.57 per cent a year"),
        "annual_failure_probability": _number(0, 0.999, above=True, hint="a fraction, not percent"),
        "annual_failure_percent": _number(0.05, 99, hint="per cent: 1.57, not 0.0157"),
        "shard_bytes": _number(1),
        "object_bytes": _number(1),
        "object_on_one_set": _Rule("flag"),
        "domains": _Rule("integer", 1, 10**6),
        "placement": _Rule("choice", choices=("random", "copyset")),
        "copysets": _Rule("integer", 1, 10**9),
        "checksums": _Rule("flag"),
    },
    "fleet.lifetime": CLOCK,
    "fleet.repair": {
        "detection_hours": _number(),
        "queueing_hours": _number(),
        "transfer_hours": _number(above=True),
        "bytes_per_second": _number(above=True),
        "codec_bytes_per_second": _number(above=True),
        "mode": _Rule("choice", choices=("parallel", "serial", "joint", "shared")),
    },
    "fleet.repair.clock": CLOCK,
    "fleet.latent_errors": {"per_disk_year": _number(), "cluster_bytes": _number(1)},
    "fleet.read_errors": {"per_bit": _number(0, 1e-6, hint="1e-15 for one in 10^15 bits")},
    "fleet.silent_corruption": {"per_disk_year": _number(), "cluster_bytes": _number(1)},
    "fleet.scrub": {
        "interval_hours": _number(above=True),
        "misses": _number(0, 0.999999, hint="a fraction: 0.01 is one per cent"),
        "miss_kind": _Rule("choice", choices=("per_pass", "persistent")),
    },
    "fleet.scrub.clock": CLOCK,
    "fleet.bursts[]": {
        "name": _Rule("text"),
        "events_per_year": _number(),
        "disk_loss_probability": FRACTION,
        "scope": _Rule("choice", choices=("fleet", "domain")),
        "operator": _Rule("flag"),
    },
    "fleet.migration": {
        "per_year": _number(),
        "skip_verification": FRACTION,
        "early_reclaim": FRACTION,
    },
    "fleet.outages": {"per_disk_year": _number(), "mean_hours": _number(above=True)},
}
REQUIRED = {
    "scenario": ("title",),
    "scheme": ("kind",),
    "claim": ("nines",),
    "fleet": ("disks", "capacity_bytes"),
    "fleet.repair": (),
    "fleet.bursts[]": ("name", "events_per_year", "disk_loss_probability"),
    "fleet.latent_errors": ("per_disk_year",),
    "fleet.read_errors": ("per_bit",),
    "fleet.silent_corruption": ("per_disk_year",),
    "fleet.scrub": ("interval_hours",),
    "fleet.migration": ("per_year",),
    "fleet.outages": ("per_disk_year", "mean_hours"),
}
MANDATORY = ("scenario", "scheme", "claim", "fleet", "fleet.repair")
ANNOTATIONS = {
    "value": None,
    "low": _number(above=True),
    "high": _number(above=True),
    "source": _Rule("text"),
    "assumption": _Rule("flag"),
}


class _Reader:
    """Walks the tables of one file and gathers values, ranges and documentation."""

    def __init__(self, path: str):
        self.path = path
        self.inputs: list[Input] = []
        self.ranges: list[Range] = []

    def section(self, name: str, table: Any, rules_name: str | None = None) -> dict[str, Any]:
        rules = SECTIONS[rules_name or name]
        if not isinstance(table, dict):
            raise ScenarioError(self.path, name, table, "a table of keys")
        values = {}
        children = {key[len(name) + 1 :].removesuffix("[]") for key in SECTIONS
                    if key.startswith(f"{name}.")}
        for key, raw in table.items():
            if key in children or (name == "scenario" and key == "sources"):
                continue
            if key not in rules:
                raise ScenarioError(self.path, f"{name}.{key}", raw,
                                    "only these keys: " + ", ".join(sorted({*rules, *children})))
            values[key] = self.value(name, key, raw, rules[key])
        for key in REQUIRED.get(rules_name or name, ()):
            if key not in values:
                raise ScenarioError(self.path, f"{name}.{key}", None,
                                    f"{rules[key].allowed}; the key is missing")
        return values

    def value(self, section: str, key: str, raw: Any, rule: _Rule) -> Any:
        where = f"{section}.{key}"
        notes: dict[str, Any] = {}
        value = raw
        if isinstance(raw, dict):
            for note, content in raw.items():
                if note not in ANNOTATIONS:
                    raise ScenarioError(self.path, f"{where}.{note}", content,
                                        "only " + ", ".join(ANNOTATIONS))
                check = ANNOTATIONS[note]
                if check is not None and not check.accepts(content):
                    raise ScenarioError(self.path, f"{where}.{note}", content, check.allowed)
            if "value" not in raw:
                raise ScenarioError(self.path, f"{where}.value", None, rule.allowed)
            notes = raw
            value = raw["value"]
        if not rule.accepts(value):
            raise ScenarioError(self.path, where, value, rule.allowed)
        low, high = notes.get("low"), notes.get("high")
        if (low is None) != (high is None):
            raise ScenarioError(self.path, where, raw, "both low and high, or neither")
        if low is not None:
            if rule.kind != "number" or not where.startswith("fleet."):
                raise ScenarioError(self.path, where, raw,
                                    f"{rule.allowed}, without low and high: it is exact")
            if not (rule.accepts(low) and rule.accepts(high) and low <= value <= high):
                raise ScenarioError(self.path, where, raw,
                                    f"low at most value at most high, each {rule.allowed}")
            path = where.removeprefix("fleet.")
            # The annual forms become the rate itself; their ranges are converted with them.
            self.ranges.append(Range(*_as_rate(path, low, high)))
        if section not in ("scenario",):
            self.inputs.append(Input(where, value, notes.get("source", ""),
                                     notes.get("assumption", False), low, high))
        return value

    def clock(self, name: str, table: Any) -> Duration:
        values = self.section(name, table)
        kind = values.pop("kind", None)
        needed = {"exponential": {"mean_hours"}, "fixed": {"mean_hours"},
                  "uniform": {"mean_hours"}, "weibull": {"shape", "scale_hours"}}
        optional = {"location_hours"} if kind == "weibull" else set()
        if kind is None:
            raise ScenarioError(self.path, f"{name}.kind", None, CLOCK["kind"].allowed)
        if not needed[kind] <= set(values) <= needed[kind] | optional:
            raise ScenarioError(self.path, name, table,
                                f"for {kind}: {', '.join(sorted(needed[kind] | optional))}")
        makers: dict[str, Callable[..., Duration]] = {
            "exponential": Exponential, "weibull": Weibull, "fixed": Fixed, "uniform": Uniform}
        return makers[kind](**values)


def _as_rate(path: str, low: float, high: float) -> tuple[str, float, float]:
    if path == "annual_failure_probability":
        return "failures_per_disk_year", -math.log1p(-low), -math.log1p(-high)
    if path == "annual_failure_percent":
        return _as_rate("annual_failure_probability", low / 100.0, high / 100.0)
    return path, low, high


def loads(text: str, path: str = "<scenario>") -> Scenario:
    """A scenario from TOML text; `path` stands in its errors."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers and tables beyond all measure
        raise ScenarioError(path, "file", str(error), "TOML") from None
    top = {"scenario", "scheme", "claim", "fleet"}
    for key, value in document.items():
        if key not in top:
            raise ScenarioError(path, key, value, "only " + ", ".join(sorted(top)))
    for name in MANDATORY:
        table: Any = document
        for part in name.split("."):
            table = table.get(part) if isinstance(table, dict) else None
        if table is None:
            raise ScenarioError(path, name, None, "a table; it is missing")
    reader = _Reader(path)
    about = reader.section("scenario", document["scenario"])
    sources = document["scenario"].get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise ScenarioError(path, "scenario.sources", sources, "a list of texts")
    promise = reader.section("claim", document["claim"])
    scheme_values = reader.section("scheme", document["scheme"])
    try:
        scheme = _scheme(path, scheme_values)
        fleet = _fleet(reader, document["fleet"])
        fleet.check_fits(scheme)
        fleet.stripe_faults(scheme)
    except ScenarioError:
        raise
    except InvalidInput as error:
        # What the model itself refuses says key, value and limit; the file is added here.
        raise ScenarioError(path, f"fleet.{error.key}", error.value, error.allowed) from None
    except InvalidParameter as error:
        # Several inputs together: the text names them.
        raise ScenarioError(path, "fleet", str(error), "a consistent fleet and scheme") from None
    return Scenario(
        name=Path(path).stem, title=about["title"], description=about.get("description", ""),
        scheme=scheme, fleet=fleet, nines=float(promise["nines"]),
        unit=promise.get("unit", "object"), sources=tuple(sources), inputs=tuple(reader.inputs),
    )


def _scheme(path: str, values: dict[str, Any]) -> Scheme:
    kind = values["kind"]
    keys = {"replication": ("copies",), "reed-solomon": ("data_shards", "parity_shards"),
            "local-reconstruction": ("data_shards", "local_groups", "global_parities")}[kind]
    for key in values:
        if key != "kind" and key not in keys:
            raise ScenarioError(path, f"scheme.{key}", values[key],
                                f"for {kind} only {', '.join(keys)}")
    for key in keys:
        if key not in values:
            raise ScenarioError(path, f"scheme.{key}", None, SECTIONS["scheme"][key].allowed)
    makers = {"replication": Replication, "reed-solomon": ReedSolomon,
              "local-reconstruction": LocalReconstruction}
    try:
        return makers[kind](*(values[key] for key in keys))
    except InvalidParameter as error:
        shape = {key: values[key] for key in keys}
        raise ScenarioError(path, "scheme", shape, f"what {kind} can be: {error}") from None


def _fleet(reader: _Reader, table: dict[str, Any]) -> Fleet:
    values = reader.section("fleet", table)
    given = [key for key in ("failures_per_disk_year", "annual_failure_probability",
                             "annual_failure_percent") if key in values]
    given += ["lifetime"] * ("lifetime" in table)
    if len(given) != 1:
        raise ScenarioError(
            reader.path, "fleet", ", ".join(given) or None,
            "exactly one of failures_per_disk_year, annual_failure_probability, "
            "annual_failure_percent and lifetime",
        )
    if "latent_errors" in table and "read_errors" in table:
        raise ScenarioError(
            reader.path, "fleet.latent_errors and fleet.read_errors",
            {"latent_errors": table["latent_errors"], "read_errors": table["read_errors"]},
            "one of them: they count the same faults, as arrivals or per bit read",
        )
    probability = values.pop("annual_failure_probability", None)
    if "annual_failure_percent" in values:
        probability = values.pop("annual_failure_percent") / 100.0
    if probability is not None:
        values["failures_per_disk_year"] = -math.log1p(-probability)
    if "lifetime" in table:
        lifetime = reader.clock("fleet.lifetime", table["lifetime"])
        if not isinstance(lifetime, (Exponential, Weibull)):
            raise ScenarioError(reader.path, "fleet.lifetime.kind", table["lifetime"]["kind"],
                                "exponential or weibull")
        values["lifetime"] = lifetime
    values["repair"] = Repair(**_with_clock(reader, "fleet.repair", table["repair"]))
    if "scrub" in table:
        values["scrub"] = Scrub(**_with_clock(reader, "fleet.scrub", table["scrub"]))
    for key, make in (("latent_errors", LatentErrors), ("read_errors", ReadErrors),
                      ("silent_corruption", SilentCorruption), ("migration", Migration),
                      ("outages", Outages)):
        if key in table:
            values[key] = make(**reader.section(f"fleet.{key}", table[key]))
    bursts = table.get("bursts", [])
    if not isinstance(bursts, list):
        raise ScenarioError(reader.path, "fleet.bursts", bursts, "an array of tables")
    values["bursts"] = tuple(
        Burst(**reader.section(f"fleet.bursts.{_burst_name(entry, place)}", entry,
                               "fleet.bursts[]"))
        for place, entry in enumerate(bursts)
    )
    assumptions = tuple(entry.key for entry in reader.inputs if entry.assumption)
    return Fleet(**values, ranges=tuple(reader.ranges), assumptions=assumptions)


def _burst_name(entry: Any, place: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else str(place)


def _with_clock(reader: _Reader, name: str, table: Any) -> dict[str, Any]:
    values = reader.section(name, table)
    if "clock" in table:
        values["clock"] = reader.clock(f"{name}.clock", table["clock"])
    return values


def shipped() -> list[str]:
    """Names of the scenarios that come with reed."""
    folder = resources.files(__package__) / "scenarios"
    return sorted(Path(entry.name).stem for entry in folder.iterdir()
                  if entry.name.endswith(".toml"))


def load(name_or_path: str | Path) -> Scenario:
    """A shipped scenario by name, or any other by the path of its file."""
    text = str(name_or_path)
    if text in shipped():
        entry = resources.files(__package__) / "scenarios" / f"{text}.toml"
        return loads(entry.read_text(encoding="utf-8"), f"{text}.toml")
    path = Path(text)
    if not path.is_file():
        raise ScenarioError(text, "file", None, "a file, or one of " + ", ".join(shipped()))
    try:
        return loads(path.read_text(encoding="utf-8"), text)
    except UnicodeDecodeError as error:
        raise ScenarioError(text, "file", error.object[error.start:error.end],
                            f"UTF-8; {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ScenarioError(text, "file", error.strerror, "a file that can be read") from None
