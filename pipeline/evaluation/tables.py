"""The tables that people read: Markdown and CSV."""

import polars as pl

from laketag.pipeline.evaluation.published import Published

CHARACTERS_OF_P = 3
LEAST_P = 0.001
LEAST_SIGNIFICANCE = 0.05
"""From this p on, two methods are not told apart."""


def main_table(
    summary: pl.DataFrame, pairs: pl.DataFrame, published: Published, against: str
) -> list[dict[str, str]]:
    """A row of short texts for each method, fractions in percent; all are compared with the method ``against``."""
    rows = []
    for row in summary.iter_rows(named=True):
        figure = published.top1_percent.get(row["method"])
        rows.append(
            {
                "method": row["title"],
                "top-1 %": _percent(row["top1"])
                + (f" ± {100 * row['top1_deviation']:.1f}" if row["top1_deviation"] is not None else ""),
                "95 % interval": f"{_percent(row['top1_low'])} to {_percent(row['top1_high'])}",
                "published": "" if figure is None else f"{figure:.2f}",
                f"vs {against}": _compare(pairs, row["method"], against),
                f"as {against} %": _percent(same_label(pairs, row["method"], against)),
                "top-5 %": _percent(row["top5"]),
                "recall %": _percent(row["macro_recall"]),
                "ECE": _number(row["calibration_error"]),
                "AURC": _number(row["aurc"]),
                "ms": "–" if row["seconds"] is None else f"{1000 * row['seconds']:.0f}",
                "passes": "–" if row["tower_passes"] is None else f"{row['tower_passes']:.4g}",
                "TFLOP": "–" if row["tflop"] is None else f"{row['tflop']:.2g}",
            }
        )
    return rows


def markdown(rows: list[dict[str, str]]) -> str:
    """The rows as a Markdown table; all columns but the first are aligned to the right."""
    names = list(rows[0])
    lines = [names, [":--", *["--:"] * (len(names) - 1)], *([row[name] for name in names] for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def sentences(summary: pl.DataFrame, pairs: pl.DataFrame, against: str) -> list[str]:
    """Whether the method is better than each other one, by McNemar's test, in words."""
    titles = dict(summary.select("method", "title").iter_rows())
    found = []
    for other in ("clip", "wca"):
        if other == against or not {other, against} <= titles.keys():
            continue
        difference, p = _oriented(pairs, against, other)
        names = f"{titles[against]} is {{}} {titles[other]}"
        if p >= LEAST_SIGNIFICANCE:
            found.append(
                names.format("not told apart from") + f" ({100 * difference:+.1f} points, p = {_p(p)})"
            )
        else:
            found.append(
                names.format("better than" if difference > 0 else "worse than")
                + f" ({100 * difference:+.1f} points, p {_p(p)})"
            )
    return found


def rule_sentences(summary: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    """What each variant of the descriptions does to each method, compared with all texts, in words; none without variants."""
    titles = dict(summary.select("method", "title").iter_rows())
    found = []
    for name, title in titles.items():
        method, _, variant = name.partition("/")
        whole = f"{method}/unfiltered"
        if not variant or name == whole or whole not in titles:
            continue
        difference, p = _oriented(pairs, name, whole)
        effect = (
            "not told apart from"
            if p >= LEAST_SIGNIFICANCE
            else "better than"
            if difference > 0
            else "worse than"
        )
        found.append(f"{title}: {effect} all texts ({100 * difference:+.1f} points, p {_p(p)})")
    return found


def _compare(pairs: pl.DataFrame, method: str, against: str) -> str:
    if method == against:
        return ""
    difference, p = _oriented(pairs, method, against)
    return f"{100 * difference:+.1f} (p {_p(p)})"


def same_label(pairs: pl.DataFrame, method: str, other: str) -> float | None:
    """For which fraction of the images both name the same class; 1 for a method and itself, None where no image has both."""
    if method == other:
        return 1.0
    either = pl.col("method").is_in([method, other]) & pl.col("other").is_in([method, other])
    found: list[float | None] = pairs.filter(either)["same_label"].to_list()
    return found[0] if found else None


def _oriented(pairs: pl.DataFrame, method: str, other: str) -> tuple[float, float]:
    """By how much the method is better, and McNemar's p; zero and one where no image has both."""
    for one, two, sign in ((method, other, 1), (other, method, -1)):
        rows = pairs.filter((pl.col("method") == one) & (pl.col("other") == two))
        if rows.height:
            difference = rows["difference"][0]
            return sign * (difference or 0.0) + 0.0, float(rows["mcnemar_p"][0])
    return 0.0, 1.0


def _p(p: float) -> str:
    return f"< {LEAST_P}" if p < LEAST_P else f"{p:.{CHARACTERS_OF_P}f}"


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
