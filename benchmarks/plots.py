"""The plots of a result: one PNG for each question, drawn from the JSON alone."""

import matplotlib

matplotlib.use("Agg")

import numpy
from matplotlib import colors, pyplot, ticker

from benchmarks.cases import ROOFLINE, ROOFLINE_NT

# One colour and marker for each contestant in every plot; distinguishable without colour vision.
STYLES = {
    "reed": ("#0b6e4f", "o"), "ISA-L": ("#d1495b", "s"), "pyeclib": ("#d1495b", "s"),
    "zfec": ("#8d6a9f", "^"), "leopard": ("#8d6a9f", "^"), "reed, lists": ("#66a182", "D"),
    ROOFLINE: ("#444444", None), ROOFLINE_NT: ("#999999", None), "memcpy": ("#bbbbbb", None),
}
OTHER = "#5b7f95"
pyplot.rcParams.update({
    "figure.dpi": 110, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e6e6e6", "grid.linewidth": 0.7, "axes.axisbelow": True,
    "legend.frameon": False, "axes.titlesize": 10, "axes.titlelocation": "left",
})


def _bytes(value, _=None):
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"


def _rate(result, label):
    entry = result["entrants"].get(label)
    return entry["rate"]["median"] / 1e9 if entry and entry["rate"] else None


def _style(label):
    """Colour and marker; variants of reed in lighter greens, of ISA-L in lighter reds."""
    if label in STYLES:
        return STYLES[label]
    if label.startswith("reed"):
        return "#66a182", "D"
    if "ISA-L" in label:
        return "#e59aa5", "s"
    return OTHER, "v"


def _line(axes, points, label, unit_per_value=1.0, label_text=None):
    """Points with a value, as a line; nothing where no point has one."""
    points = [(x, y * unit_per_value) for x, y in points if y is not None]
    if not points:
        return
    color, marker = _style(label)
    dashes = {ROOFLINE: "--", ROOFLINE_NT: ":"}.get(label, "-")
    axes.plot(*zip(*points, strict=True), dashes, color=color, marker=marker, markersize=4,
              label=label_text or label, linewidth=1.5)


def _subtitle(document):
    return f"{document['machine']['cpu']}, kernel {document['machine']['reed_kernel']}, " \
        f"one thread unless stated · {document['date']}"


def _finish(figure, document, path):
    figure.text(0.01, 0.005, _subtitle(document), fontsize=7, color="#777777")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def size_plot(document, path):
    """Encode against shard size, in cache and from memory."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.8))
    for axes, level, title in zip(panels, ("hot", "rotating"), (
            "10+4 encode, one stripe again and again",
            "10+4 encode, a ring of stripes beyond every cache"), strict=True):
        results = [each for each in document["surveys"]["size"] if each["job"]["level"] == level]
        for label in (ROOFLINE, ROOFLINE_NT, "reed", "ISA-L"):
            _line(axes, [(each["job"]["shard_size"], _rate(each, label)) for each in results],
                  label)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(_bytes))
        axes.tick_params(axis="x", labelrotation=30)
        axes.set_ylim(bottom=0)
        axes.set(title=title, xlabel="shard size", ylabel="data GB/s")
        axes.legend()
    _finish(figure, document, path)


def geometry_plot(document, path):
    """How many times as fast as ISA-L, over data and parity shards."""
    ratios = {}
    for result in document["surveys"]["geometry"]:
        entry = result["entrants"]["ISA-L"]
        if entry["ratio"]:
            job = result["job"]
            ratios[job["data_shards"], job["parity_shards"]] = entry["ratio"]["median"]
    if not ratios:
        return False
    data = sorted({k for k, _ in ratios})
    parity = sorted({m for _, m in ratios})
    grid = numpy.array([[ratios.get((k, m), numpy.nan) for k in data] for m in parity])
    limit = max(2.0, numpy.nanmax(grid), 1 / numpy.nanmin(grid))
    width, height = max(6, 1.6 + 0.46 * len(data)), 1.6 + 0.32 * len(parity)
    figure, axes = pyplot.subplots(figsize=(width, height))
    axes.grid(False)
    norm = colors.LogNorm(1 / limit, limit)
    palette = colors.LinearSegmentedColormap.from_list(
        "ratio", ["#b23a48", "#f6d5d8", "#f7f7f7", "#cfe8da", "#0b6e4f"])
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap=palette, norm=norm)
    for row, column in numpy.argwhere(~numpy.isnan(grid)):
        value = grid[row, column]
        strong = abs(numpy.log(value)) > 0.75 * numpy.log(limit)
        axes.text(column, row, f"{value:.1f}" if value < 9.95 else f"{value:.0f}", ha="center",
                  va="center", fontsize=7.5, color="white" if strong else "#222222")
    axes.set_xticks(range(len(data)), data)
    axes.set_yticks(range(len(parity)), parity)
    size = document["surveys"]["geometry"][0]["job"]["shard_size"]
    axes.set(xlabel="data shards", ylabel="parity shards",
             title=f"Encode: times as fast as ISA-L, {_bytes(size)} shards, in cache")
    for spine in axes.spines.values():
        spine.set_visible(False)
    ticks = [value for value in (0.2, 0.5, 1, 2, 5, 10, 20) if 1 / limit <= value <= limit]
    bar = figure.colorbar(image, ax=axes, ticks=ticks, format="%g", shrink=0.8)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    _finish(figure, document, path)
    return True


def _bars(document, results, path, title):
    """Groups of horizontal bars, one group for each case, in parts of its fastest roofline."""
    rows = []  # (label, bar length, text behind the bar, is a heading)
    for result in results:
        rates = {label: _rate(result, label) for label in result["entrants"]}
        limits = [rates[label] for label in (ROOFLINE, ROOFLINE_NT) if rates.get(label)]
        limit = max(limits or filter(None, rates.values()), default=1)
        rows.append((result["title"], 0, "", True))
        rows += [(label, rate / limit, f" {rate:.3g}", False) if rate else
                 (label, 0, " absent", False) for label, rate in rates.items()]
        rows.append(("", 0, "", False))
    rows = rows[:-1]
    figure, axes = pyplot.subplots(figsize=(8, 1.1 + 0.17 * len(rows)))
    for position, (label, length, text, is_heading) in enumerate(rows):
        if is_heading:
            axes.text(0, position, " " + label, va="center", fontsize=8, fontweight="bold")
        else:
            axes.barh(position, length, color=_style(label)[0], height=0.85)
            axes.text(length, position, text, va="center", fontsize=7.5)
    axes.set_yticks(range(len(rows)), ["" if is_heading else label
                                       for label, _, _, is_heading in rows], fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.08 * max(1, *(length for _, length, _, _ in rows)))
    axes.xaxis.set_major_formatter(ticker.PercentFormatter(1))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set(title=title, xlabel="of the fastest roofline of the same case; figures: data GB/s")
    _finish(figure, document, path)


def bars_plot(group, title):
    """A plot of all cases of one group."""
    def draw(document, path):
        results = [each for each in document["cases"] if each["group"] == group]
        if not results:
            return False
        _bars(document, results, path, title)
        return True
    return draw


def object_plot(document, path):
    """Time of one call from Python against the object's size."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for axes, operation, title in zip(panels, ("encode", "decode"), (
            "Python, 10+4 encode", "Python, 10+4 decode, 2 lost"), strict=True):
        results = [each for each in document["surveys"]["object"]
                   if each["name"].startswith(f"object-{operation}")]
        for label in ("reed", "reed, lists", "pyeclib", "zfec"):
            points = []
            for each in results:
                size, rate = 10 * each["job"]["shard_size"], _rate(each, label)
                points.append((size, size / rate / 1e3 if rate else None))
            _line(axes, points, label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(
            lambda value, _: f"{value / 1000:g} kB" if value < 1e6 else f"{value / 1e6:g} MB"))
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(title=title, xlabel="object size")
        axes.legend()
    panels[0].set_ylabel("µs for one call")
    _finish(figure, document, path)


def thread_plot(document, path):
    """How many times as fast as one thread."""
    results = document["surveys"]["threads"]
    counts = [int(label) for label in results[0]["entrants"]]
    if len(counts) < 2:
        return False
    figure, axes = pyplot.subplots(figsize=(8, 3.8))
    axes.plot(counts, counts, "--", color="#444444", linewidth=1, label="as many times as threads")
    shades = pyplot.get_cmap("viridis")(numpy.linspace(0.1, 0.85, len(results)))
    for result, shade in zip(results, shades, strict=True):
        points = [(count, _rate(result, str(count))) for count in counts]
        points = [(count, rate) for count, rate in points if rate is not None]
        if not points or points[0][0] != 1:
            continue
        size = _bytes(result["job"]["shard_size"])
        name = f"a {size} stripe for each" if result["name"] == "threads-stripes" else \
            f"Python, threads=, {size} shards"
        axes.plot([count for count, _ in points],
                  [rate / points[0][1] for _, rate in points], "o-", color=shade, label=name,
                  markersize=4)
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    axes.set(title="10+4 encode: times as fast as one thread", xlabel="threads")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _finish(figure, document, path)
    return True


PLOTS = {
    "encode_size.png": size_plot,
    "geometry.png": geometry_plot,
    "wide.png": bars_plot("wide", "Wide stripes: encode"),
    "repair.png": bars_plot("repair", "Repair: data bytes of the stripe per second"),
    "integrity.png": bars_plot("integrity", "Integrity in the same pass"),
    "objects.png": object_plot,
    "threads.png": thread_plot,
}


def draw(document, folder):
    """Write every plot for which the document has data; their file names."""
    written = []
    for name, plot in PLOTS.items():
        if plot(document, folder / name) is not False:
            written.append(name)
    return written
