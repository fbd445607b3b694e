"""How good the latency predictors are: every network predicted by a fit that has seen none of its architecture.

    python -m benchmarks.latency DATA [--cache FOLDER] [--write]

prints the table beside two simple fits (multiply-accumulates alone, and a handful of sums); --write keeps it in
docs/latency.md with a plot.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.compiler.latency_fit import fit_tables
from edgec.latency.crossvalidate import HeldOut, Trained, spearman
from edgec.latency.families import architecture, families
from edgec.latency.features import Features
from edgec.latency.interval import quantile

ROOT = Path(__file__).resolve().parent.parent
PAGE, PLOT = ROOT / "docs" / "latency.md", ROOT / "docs" / "latency.svg"
START, END = "<!-- figures: make bench-latency -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Row:
    predictor: str
    device: str
    networks: int
    median: float
    within: float
    rank: float
    coverage: float
    width: float
    macs: tuple[float, float]
    naive: tuple[float, float]


def rows(trained: Trained, programs: dict[str, Features]) -> Iterator[Row]:
    """A row for each device, and one for the whole predictor."""
    held = trained.held_out
    macs = _simple(held, programs, lambda f: [1.0, float(f.macs.sum())])
    naive = _simple(held, programs, _sums)
    scores: dict[str, list[float]] = {}
    for h in held:
        scores.setdefault(h.sample.network, []).append(abs(h.error) / h.deviation)
    reach = [quantile({n: s for n, s in scores.items() if n != h.sample.network}) * h.deviation for h in held]
    devices = sorted({h.sample.device for h in held})
    for device in (*devices, *(["all"] if len(devices) > 1 else [])):
        mine = [i for i, h in enumerate(held) if device in (h.sample.device, "all")]
        errors = np.array([held[i].relative for i in mine])
        truth = [held[i].sample.ms for i in mine]
        yield Row(
            trained.predictor.name,
            device,
            len({held[i].sample.network for i in mine}),
            float(np.median(errors)),
            float(np.mean(errors <= 0.25)),
            spearman([held[i].ms for i in mine], truth),
            float(np.mean([abs(held[i].error) <= reach[i] for i in mine])),
            float(np.median([math.sinh(reach[i]) for i in mine])),
            _judged([macs[i] for i in mine], truth),
            _judged([naive[i] for i in mine], truth),
        )


def _sums(f: Features) -> list[float]:
    depthwise = np.array([k == "depthwise" for k in f.kinds])
    return [
        1.0,
        float(f.macs.sum()),
        float(f.macs[depthwise].sum()),
        float(f.weights.sum()),
        float(f.moved.sum()),
        len(f),
    ]


def _judged(found: Sequence[float], truth: Sequence[float]) -> tuple[float, float]:
    return float(np.median(np.abs(np.array(found) / np.array(truth) - 1))), spearman(found, truth)


def _simple(
    held: Sequence[HeldOut], programs: dict[str, Features], sums: Callable[[Features], list[float]]
) -> list[float]:
    """Non-negative least squares of relative errors on sums, one fit a device, without the architecture predicted."""
    from scipy.optimize import nnls

    found = []
    for h in held:
        name = architecture(h.sample.network)
        rest = [o.sample for o in held if o.sample.device == h.sample.device and architecture(o.sample.network) != name]
        table = np.array([sums(programs[s.network]) for s in rest])
        scale = np.maximum(table.max(0), 1e-12)
        weights = 1 / np.array([s.ms for s in rest])
        solved, _ = nnls(table / scale * weights[:, None], np.ones(len(rest)))
        found.append(float(np.array(sums(programs[h.sample.network])) / scale @ solved) or 1e-6)
    return found


def table(found: Sequence[Row]) -> str:
    head = "| predictor | device | networks | median error | within 25 % | Spearman | coverage | half-width | "
    head += "MACs alone | naive sums |"
    lines = [head, "|" + "---|" * 10]
    for r in found:
        simple = " | ".join(f"{error:.0%}, {rank:.2f}" for error, rank in (r.macs, r.naive))
        lines.append(
            f"| {r.predictor} | {r.device} | {r.networks} | {r.median:.1%} | {r.within:.0%} | {r.rank:.3f} | "
            f"{r.coverage:.0%} | {r.width:.0%} | {simple} |"
        )
    return "\n".join(lines)


COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")


def plot(trained: Sequence[Trained], size: int = 560, edge: int = 50) -> str:
    """Predicted against measured milliseconds, both logarithmic; the grey band is 25 % both ways."""
    points = [(t.predictor.name, h) for t in trained for h in t.held_out]
    values = [v for _, h in points for v in (h.ms, h.sample.ms)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def at(ms: float) -> float:
        return (math.log10(ms) - low) / (high - low) * (size - 2 * edge)

    def x(ms: float) -> float:
        return edge + at(ms)

    def y(ms: float) -> float:
        return size - edge - at(ms)

    names = [t.predictor.name for t in trained]
    first, last = 10.0**low, 10.0**high
    band = [(first, first * 1.25), (last / 1.25, last), (last, last), (last, last / 1.25), (first * 1.25, first)]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size + 170}" height="{size}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{size + 170}" height="{size}" fill="white"/>',
        f'<polygon fill="#eeeeee" points="{" ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in [(first, first), *band])}"/>',
        f'<line x1="{x(first):.1f}" y1="{y(first):.1f}" x2="{x(last):.1f}" y2="{y(last):.1f}" stroke="#888888"/>',
    ]
    for power in range(low, high + 1):
        ms = 10.0**power
        out.append(f'<text x="{x(ms):.1f}" y="{size - edge + 16}" text-anchor="middle">{ms:g}</text>')
        out.append(f'<text x="{edge - 6}" y="{y(ms) + 4:.1f}" text-anchor="end">{ms:g}</text>')
    for name, h in points:
        colour = COLOURS[names.index(name) % len(COLOURS)]
        out.append(f'<circle cx="{x(h.sample.ms):.1f}" cy="{y(h.ms):.1f}" r="2.5" fill="{colour}" fill-opacity="0.6"/>')
    for i, name in enumerate(names):
        out.append(f'<circle cx="{size - 20}" cy="{edge + 18 * i}" r="4" fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(f'<text x="{size - 10}" y="{edge + 18 * i + 4}">{name}</text>')
    out.append(f'<text x="{size / 2}" y="{size - 10}" text-anchor="middle">measured, ms</text>')
    out.append(
        f'<text transform="translate(14 {size / 2}) rotate(-90)" text-anchor="middle">predicted, ms</text></svg>'
    )
    return "\n".join(out) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "latency")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    outcome = fit_tables(asked.data, asked.cache, lambda step: None)
    targets = {f.name: f.target for f in families()}
    found: list[Row] = []
    for trained in outcome.trained:
        end = f"@{targets[trained.predictor.name]}.json"
        names = {h.sample.network for h in trained.held_out}
        programs = {n: Features.from_json((asked.cache / f"{n}{end}").read_text(encoding="utf-8")) for n in names}
        found += rows(trained, programs)
    print(table(found))
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.partition(START)[0], text.partition(END)[2]
        PAGE.write_text(f"{before}{START}\n\n{table(found)}\n\n{END}{after}", encoding="utf-8")
        PLOT.write_text(plot(outcome.trained), encoding="utf-8")


if __name__ == "__main__":
    main()
