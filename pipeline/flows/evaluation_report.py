"""What an evaluation has found, as it is stored and printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from laketag.pipeline.classifier.method_names import UNFILTERED, Method
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import ExitCode
from laketag.pipeline.evaluation.plots import can_plot, draw_plots
from laketag.pipeline.evaluation.published import BENCHMARKS, Published, find_published
from laketag.pipeline.evaluation.summary import (
    compare_pairs,
    confusions,
    count_copies,
    coverages,
    recall_by_class,
    summarise,
)
from laketag.pipeline.evaluation.tables import main_table, markdown, rule_sentences, sentences
from laketag.pipeline.flows.evaluate_request import EvaluateRequest
from laketag.pipeline.lake.evaluations import Evaluation


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """The figures of an evaluation. ``table`` is the paper's: a row of short texts for each method."""

    evaluation: str
    url: str
    images: int  # of those with a true class, how many there are to evaluate
    done: int  # and how many every method has a result for
    summary: pl.DataFrame  # schemas.EvaluationSummary
    pairs: pl.DataFrame
    table: list[dict[str, str]]
    conclusions: list[str]
    notices: list[str]

    @property
    def exit_code(self) -> ExitCode:
        """FAILED if not one image could be labelled."""
        return ExitCode.DONE if self.summary["images"].sum() else ExitCode.FAILED

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "evaluation": self.evaluation,
            "url": self.url,
            "images": self.images,
            "done": self.done,
            "summary": self.summary.to_dicts(),
            "conclusions": self.conclusions,
            "notices": self.notices,
        }


def make_report(
    evaluation: Evaluation,
    request: EvaluateRequest,
    settings: Settings,
    found: tuple[tuple[Method, ...], pl.DataFrame, int],
    suggestions: Sequence[str] = (),
) -> EvaluationReport:
    """The report, which is stored beside the results; ``found`` are the methods, their results and the number of images.

    ``suggestions`` are about the description set, and among the notices.
    """
    methods, results, images = found
    names = [method.name for method in methods]
    listed = pl.DataFrame(
        [(one.name, one.title, one.source) for one in methods],
        schema=["method", "title", "source"],
        orient="row",
    )
    summary = summarise(results, listed)
    pairs = compare_pairs(results, names)
    benchmark = request.benchmark or (request.collection if request.collection in BENCHMARKS else None)
    published = find_published(benchmark, settings.backbone, request.published)
    varied = [name for name in names if name.endswith(f"/{UNFILTERED}")]
    against = varied[0] if varied else "abs" if "abs" in names else names[0]
    done = (
        results.group_by("image_id")
        .agg(pl.col("method").n_unique())
        .filter(pl.col("method") == len(names))
        .height
    )
    report = EvaluationReport(
        evaluation=evaluation.name,
        url=evaluation.url,
        images=images,
        done=done,
        summary=summary,
        pairs=pairs,
        table=main_table(summary, pairs, published, against),
        conclusions=[*sentences(summary, pairs, against), *rule_sentences(summary, pairs)],
        notices=[*find_notices(results, published), *suggestions],
    )
    about = {
        "collection": request.collection,
        "description_set": request.description_set,
        "backbone": f"{settings.backbone.name}/{settings.backbone.pretrained}",
        "attention": settings.attention.name,
    }
    evaluation.write_report(summary, about, report_files(report, results, (about, against)))
    return report


def find_notices(results: pl.DataFrame, published: Published) -> list[str]:
    """What a reader of the figures should know."""
    notices = []
    copies, torn = count_copies(results)
    if copies:
        notices.append(
            f"{copies:,} images have the pixels of another one and count again"
            + (f"; of {torn:,} of these pictures the copies have different true classes" if torn else "")
        )
    reasons = results.filter(pl.col("failure").is_not_null()).unique("image_id")["failure"].cast(pl.String)
    if reasons.len():
        named = ", ".join(
            f"{count:,} {reason}" for reason, count in reasons.value_counts(sort=True).iter_rows()
        )
        notices.append(f"{reasons.len():,} images failed and are in no figure: {named}")
    if published.sources:
        notices.append(f"published figures: {'; '.join(published.sources)}")
    if not can_plot():
        notices.append("no plots were drawn; install them with pip install 'laketag[plots]'")
    return notices


def report_files(
    report: EvaluationReport, results: pl.DataFrame, stated: tuple[dict[str, str], str]
) -> dict[str, bytes]:
    """File name → content: Markdown, CSV, and plots where matplotlib is installed and something was labelled.

    ``stated``: what the evaluation is about, and the method that others are compared with.
    """
    about, against = stated
    lines = [
        f"# Evaluation {report.evaluation}\n",
        " · ".join(f"{name}: {value}" for name, value in about.items()) + f" · {report.done:,} images\n",
        markdown(report.table),
        *(f"{sentence}." for sentence in (*report.conclusions, *report.notices)),
    ]
    files = {
        "table.md": "\n".join(lines).encode(),
        "summary.csv": report.summary.write_csv().encode(),
        "pairs.csv": report.pairs.write_csv().encode(),
        "classes.csv": recall_by_class(results).write_csv().encode(),
        "confusions.csv": confusions(results).write_csv().encode(),
        "coverage.csv": coverages(results).write_csv().encode(),
    }
    if can_plot() and report.exit_code == ExitCode.DONE:
        files |= draw_plots(results, report.summary, report.pairs, against)
    return files
