"""Medians and tables, in Markdown."""

import statistics


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def table(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join([line(header), "| " + " | ".join("-" * width for width in widths) + " |", *map(line, rows)])


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.2f} ms"


def mib(size):
    return f"{size / 2**20:.1f}"


class Figures:
    """The medians of all samples of one workload on one chain."""

    def __init__(self, samples):
        self.rate = median([s.rate for s in samples])
        self.p50 = median([s.p50 for s in samples])
        self.p99 = median([s.p99 for s in samples])
        self.cost = median([s.cpu / s.units for s in samples])
        self.peaks = [median(peaks) for peaks in zip(*(s.peaks for s in samples))]
        rates = [s.rate for s in samples]
        self.spread = (max(rates) - min(rates)) / self.rate / 2


# (c) against (b): at least half its throughput for at most twice its processor time.
MIN_RATE, MAX_COST = 0.5, 2.0
HEADER = ["workload", "chain", "rate", "spread", "p50", "p99", "CPU us", "peak RSS, MiB", "rate / (b)", "CPU / (b)"]


def against_nginx(workload, chain, figures):
    """Rate and cost as multiples of (b)'s; nothing where there is nothing to compare."""
    base = figures.get((workload.name, "nginx"))
    if base is None or chain.name not in ("wss", "grpcs"):
        return None
    f = figures[workload.name, chain.name]
    return f.rate / base.rate, f.cost / base.cost


def results_table(workloads, chains, figures):
    rows = []
    for workload in workloads:
        for chain in chains:
            f = figures[workload.name, chain.name]
            rate = f"{f.rate / 1e6:.0f}" if workload.unit == "MB/s" else f"{f.rate:.0f}"
            peaks = " + ".join(f"{p.name} {mib(v)}" for p, v in zip(chain.measured, f.peaks))
            ratios = against_nginx(workload, chain, figures)
            rows.append([workload.title, chain.title, f"{rate} {workload.unit}", f"±{f.spread * 100:.0f} %",
                         milliseconds(f.p50), milliseconds(f.p99),
                         f"{f.cost * 1e6:.1f} /{workload.cost_unit}" if chain.measured else "-", peaks or "-",
                         *(f"{ratio:.2f}" for ratio in ratios or ())])
            rows[-1] += ["-"] * (len(HEADER) - len(rows[-1]))
    return table(HEADER, rows)


def verdict(workloads, chains, figures):
    """Which targets were missed."""
    missed = []
    for workload in workloads:
        for chain in chains:
            ratios = against_nginx(workload, chain, figures)
            if ratios and ratios[0] < MIN_RATE:
                missed.append(f"{workload.title} over {chain.name}: rate {ratios[0]:.2f}")
            if ratios and ratios[1] > MAX_COST:
                missed.append(f"{workload.title} over {chain.name}: CPU {ratios[1]:.2f}")
    return f"Targets for (c): rate at least {MIN_RATE} x (b), CPU at most {MAX_COST:.0f} x (b). " + (
        "Missed: " + "; ".join(missed) + "." if missed else "All reached.")
