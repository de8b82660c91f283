"""The queries that have a command each: their help, their filters, and what a printed table shows."""

from dataclasses import dataclass

from laketag.jobs.result_table import Columns
from laketag.pipeline.lake.filters import ClassFilter, FailureFilter, NightFilter, RowFilter

OTHER_TAGS = "other tags"
"""The heading of the tags that are not the label."""


@dataclass(frozen=True)
class Query:
    """One of the queries: its help, its filters, what a printed table shows unless --columns is given, and its order."""

    help: str
    filters: type[RowFilter | NightFilter]
    columns: Columns
    order: tuple[str, ...] = ()
    """Printed rows are sorted by these columns; without any they have the query's own order."""


QUERIES = {
    "runs": Query(
        "Finished runs, oldest first: what was planned and labelled, what failed, how fast.",
        RowFilter,
        Columns(
            ("collection", "description_set", "labelled", "failures", "run_id"),
            ("planned", "images_per_s", "finished_at", "method", "held_back_by", "seconds", "bytes_read"),
        ),
    ),
    "nights": Query(
        "What each night did with each collection, oldest first.",
        NightFilter,
        Columns(
            ("collection", "exit_code", "labelled", "failures", "left", "verified", "finished_at"),
            ("description_set", "new", "changed", "gone"),
        ),
    ),
    "labels": Query(
        "The label of each image.",
        ClassFilter,
        Columns(("uri", "label", "probability", OTHER_TAGS), ("true_class", "accepted", "evidence")),
        ("uri",),
    ),
    "unsure": Query(
        "Labels that are in doubt, least sure first: by their lead, which is the probability of the label minus that of "
        "the second class.",
        ClassFilter,
        Columns(("uri", "label", "probability", "lead", OTHER_TAGS), ("true_class", "evidence")),
    ),
    "tags": Query(
        "One row for each image and each of its most probable classes.",
        ClassFilter,
        Columns(("uri", "label", "probability", "rank"), ("true_class", "standard_score")),
        ("uri", "rank"),
    ),
    "failures": Query(
        "Images that have no label, and why.",
        FailureFilter,
        Columns(("uri", "failure", "failure_detail"), ("true_class",)),
        ("uri",),
    ),
    "summary": Query(
        "For each class the number of images, their mean probability, and the most probable images.",
        ClassFilter,
        Columns(("label", "images", "mean_probability", "examples"), ("collection", "description_set")),
    ),
    "decisions": Query(
        "What people have decided with laketag review, oldest first, and whether it still counts.",
        NightFilter,
        Columns(("uri", "verdict", "label", "status", "decided_by", "decided_at"), ("tool", "collection", "description_set")),
    ),
}  # fmt: skip
