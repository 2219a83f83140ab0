# SPDX-License-Identifier: Apache-2.0
"""What the figures of all rounds say: the table of ratios, which bars are missed, which peers are faster.

Figures are {row name: {target name: [figure of each round, None when it could not be measured]}}. Pure: tests/e2e/test_bench.py.
"""
import statistics

BASE = "ext4"


def show(value):
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def show_ratio(row, value, digits=2):
    return "n/a" if value is None else f"{value:.{digits}f}" + ("x" if row["is_time"] else "")


def ratio(figures, row, target, base=BASE):
    """Median over the rounds of target to base, both of the same round; None without a common round."""
    of = figures.get(row["name"], {})
    ratios = [a / b for a, b in zip(of.get(target, []), of.get(base, [])) if a is not None and b]
    return statistics.median(ratios) if ratios else None


def is_worse(row, value, limit):
    return value > limit if row["is_time"] else value < limit


def bar_cell(row):
    if row["bar"] is None:
        return ""
    return f"{show_ratio(row, row['bar'])} / {show_ratio(row, row['stretch'])}"


def table(rows, names, figures, too_slow=()):
    """Lines of Markdown; names are those of the targets, too_slow has (row name, target name)."""
    others = [n for n in names if n != BASE]
    lines = ["| " + " | ".join(["row", BASE, *others, "bar / stretch"]) + " |", "|---|" + "---|" * (2 + len(others))]
    for row in rows:
        values = [v for v in figures.get(row["name"], {}).get(BASE, []) if v is not None]
        cells = [row["name"], f"{show(statistics.median(values))} {row['unit']}" if values else "n/a"]
        for name in others:
            value = ratio(figures, row, name)
            cells.append("too slow" if value is None and (row["name"], name) in too_slow else show_ratio(row, value))
        lines.append("| " + " | ".join([*cells, bar_cell(row)]) + " |")
    return lines


def misses(rows, figures, ours):
    """The rows in which ours is below its bar, or has no figure that could be held against it."""
    found = []
    for row in (r for r in rows if r["bar"] is not None):
        value = ratio(figures, row, ours)
        if value is None:
            found.append(f"{row['name']} (not measured)")
        elif is_worse(row, value, row["bar"]):
            found.append(f"{row['name']} ({show_ratio(row, value, 3)}, bar {show_ratio(row, row['bar'])})")
    return found


def behind(rows, figures, ours, peers):
    """The rows in which ours is slower than a peer in the same rounds, with all such peers, the best first."""
    found = []
    for row in rows:
        ratios = {peer: ratio(figures, row, ours, peer) for peer in peers}
        worse = {p: r for p, r in ratios.items() if r is not None and is_worse(row, r, 1)}
        if worse:
            best_first = sorted(worse, key=worse.get, reverse=row["is_time"])
            found.append(f"{row['name']} ({', '.join(f'{show_ratio(row, worse[p], 3)} of {p}' for p in best_first)})")
    return found


def verdict(rows, figures, ours, peers):
    """The lines that end a report. peers: the encrypted peers that were measured."""
    slower = "; ".join(behind(rows, figures, ours, peers)) or "in no row"
    return [f"Misses its bar: {'; '.join(misses(rows, figures, ours)) or 'in no row'}.", "",
            "Slower than the best encrypted peer: " +
            (f"{slower} (measured: {', '.join(peers)})." if peers else "none was measured.")]
