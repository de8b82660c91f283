"""``python -m tests.benches.drawings LAKE``: writes the tables and the plot of docs/evaluation.md and README.md.

They are those of an evaluation of drawn pictures, made by the commands in docs/evaluation.md; one that ``--max-hours`` has ended
has them too, of the pictures that are done.
"""

import argparse
import shutil
from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.evaluation.tables import markdown
from laketag.pipeline.lake.evaluations import Evaluation, read_summaries
from laketag.pipeline.lake.paths import Lake, open_lake
from tests.benches.table import PROJECT, Bench, replace_section

COMMAND = "python -m tests.benches.drawings"
COLLECTION = "drawings"
LEVELS = ("easy", "mid", "hard")
README_METHODS = ("clip", "cupl", "wca", "abs", "abs-raw", "abs-features", "abs:uniform")


def find_evaluation(lake: Lake) -> Evaluation:
    """The evaluation of drawn pictures with the most images; an InputError if there is none."""
    every = read_summaries(lake).sort("images", "evaluation")
    if every.is_empty():
        raise InputError(
            f"{lake.root}: has no evaluation that has ended; run the commands in docs/evaluation.md"
        )
    return Evaluation(lake, every["evaluation"][-1], COLLECTION)


def describe(evaluation: Evaluation, report: Path) -> str:
    """The section of docs/evaluation.md: the evaluation's own table, and accuracy by the difficulty of the pictures."""
    results = evaluation.read_results()
    text = (report / "table.md").read_text("utf-8")
    table = text[text.index("| method") :]
    seeds = results["seed"].n_unique()
    images = results.filter(pl.col("label").is_not_null())["image_id"].n_unique()
    lines = (
        f"{images:,} pictures, {results['method'].n_unique()} methods, {seeds} seeds:",
        "",
        table.rstrip(),
        "",
        "![Accuracy against compute](pictures/evaluation-paper.svg)",
        "",
        "The same by the size of the object, in percent:",
        "",
        markdown(by_level(results, evaluation)).rstrip(),
    )
    return "\n".join(lines)


def by_level(results: pl.DataFrame, evaluation: Evaluation) -> list[dict[str, str]]:
    """A row for each method: the mean accuracy over the seeds on easy, mid and hard pictures."""
    titles = read_summaries(evaluation.lake).filter(evaluation=evaluation.name).select("method", "title")
    level = pl.col("uri").str.split("/").list.last().str.extract(r"^(easy|mid|hard)-")
    labelled = results.filter(pl.col("label").is_not_null()).with_columns(level=level)
    means = labelled.group_by("method", "level").agg(
        right=(pl.col("label") == pl.col("true_class")).mean(), pictures=pl.col("image_id").n_unique()
    )
    found = {(row["method"], row["level"]): row for row in means.iter_rows(named=True)}
    pictures = {name: max(row["pictures"] for key, row in found.items() if key[1] == name) for name in LEVELS}
    return [
        {"method": title}
        | {f"{name} ({pictures[name]:,})": f"{100 * found[method, name]['right']:.1f}" for name in LEVELS}
        for method, title in titles.iter_rows()
    ]


def summarise(evaluation: Evaluation) -> str:
    """The section of the README: a short table."""
    rows = read_summaries(evaluation.lake).filter(evaluation=evaluation.name)
    lines = [
        {
            "method": row["title"],
            "top-1 %": f"{100 * row['top1']:.1f}",
            "95 % interval": f"{100 * row['top1_low']:.1f} to {100 * row['top1_high']:.1f}",
            "passes": f"{row['tower_passes']:.4g}",
        }
        for row in rows.iter_rows(named=True)
        if row["method"] in README_METHODS
    ]
    return markdown(lines).rstrip()


def write_pages(lake: Lake, project: Path) -> None:
    """The sections of both pages and the plot are those of the lake's evaluation."""
    evaluation = find_evaluation(lake)
    report = Path(evaluation.url, "report")
    for page, section in (
        (project / "docs" / "evaluation.md", describe(evaluation, report)),
        (project / "README.md", summarise(evaluation)),
    ):
        bench = Bench(COMMAND, ())
        page.write_text(replace_section(page.read_text("utf-8"), bench, section), "utf-8")
    shutil.copyfile(report / "accuracy.svg", project / "docs" / "pictures" / "evaluation-paper.svg")


def main() -> None:
    """Write the pages of this checkout."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("lake", help="the root of a local lake")
    write_pages(open_lake(parser.parse_args().lake, StorageSettings()), PROJECT)


if __name__ == "__main__":
    main()
