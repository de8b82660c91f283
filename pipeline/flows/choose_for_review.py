"""Choosing what a person should look at: labels of images as they are now, about which nobody has decided yet."""

import shlex
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.review_request import ReviewRequest
from laketag.pipeline.lake.current_rows import CURRENT, scan_current
from laketag.pipeline.lake.decided_rows import CLASSIFIER
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_class_names
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import draw_sample
from laketag.pipeline.lake.runs import current_runs, read_runs
from laketag.pipeline.review.items import ReviewItem, Subject
from laketag.pipeline.store.outages import through_outages

COLUMNS = (
    "image_id",
    "uri",
    "etag",
    "label",
    "probability",
    "margin",
    "tags",
    "evidence",
    "width_px",
    "height_px",
)


@dataclass(frozen=True)
class ChosenForReview:
    """The images to be reviewed, the first ones first, and what they are."""

    subject: Subject
    rows: pl.DataFrame
    """COLUMNS."""


def choose_for_review(lake: Lake, request: ReviewRequest) -> ChosenForReview:
    """At most ``limit`` labels of the classifier, in the order of the request."""
    finished = read_runs(lake)
    run = _choose_run(lake, finished, request)
    subject = Subject(
        collection=run["collection"],
        description_set=run["description_set"],
        class_names=read_class_names(lake, latest_embedded_set(lake, run["description_set"])),
        classifier=run["classifier"],
    )
    which = {name: run[name] for name in ("collection", "description_set")}
    rows = scan_current(lake, finished, {**which, "classifier": run["classifier"]})  # type: ignore[typeddict-item]  # names of filters
    labelled = rows.filter(
        pl.col("label").is_not_null(), pl.col("source") == CLASSIFIER, pl.col("status") == CURRENT
    )
    if request.by == "disagreement":
        labelled = _contradicted(lake, finished, labelled, subject)
    ordered = _ordered(labelled, request)
    found = through_outages(lake.root, lake.storage, lambda: ordered.collect(engine="streaming"))
    if request.by == "random":
        found = draw_sample(found.sort("image_id"), request.limit)
    return ChosenForReview(subject, found)


def as_item(row: dict[str, object], link: str) -> ReviewItem:
    """A row of COLUMNS as an item whose image is at the link."""
    evidence, width_px, height_px = row["evidence"], row["width_px"], row["height_px"]
    x0, y0, x1, y1 = (evidence[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px"))  # type: ignore[index]  # a struct
    box = (x0 / width_px, y0 / height_px, (x1 - x0) / width_px, (y1 - y0) / height_px)
    return ReviewItem(
        **{name: row[name] for name in ("image_id", "uri", "etag", "label", "probability", "margin")},  # type: ignore[arg-type]
        link=link,
        tags=tuple((tag["label"], tag["probability"]) for tag in row["tags"]),  # type: ignore[attr-defined]
        box=box,
        size_px=(width_px, height_px),  # type: ignore[arg-type]
        description=evidence["description"],  # type: ignore[index]
    )


def _choose_run(lake: Lake, finished: pl.DataFrame, request: ReviewRequest) -> dict[str, str]:
    """The run whose classifier's labels are reviewed; an InputError unless the request and the lake name exactly one."""
    named = {"collection": request.collection, "description_set": request.description_set}
    wanted = {name: value for name, value in named.items() if value is not None}
    known = current_runs(finished).sort("collection", "description_set")
    runs = known.filter(*(pl.col(name) == value for name, value in wanted.items()))
    if runs.height == 1:
        return runs.row(0, named=True)
    pairs = [
        f"--collection {collection} --set {set_name}"
        for collection, set_name in (runs if runs.height else known)
        .select("collection", "description_set")
        .iter_rows()
    ]
    if not pairs:
        raise InputError(
            f"{lake.root} holds no finished run, so there is nothing to review; label with: "
            f"laketag label --root {shlex.quote(lake.root)} --collection C --set S"
        )
    rule = (
        "several labelled collections and sets"
        if runs.height
        else f"no labels of {' and '.join(wanted.values())}"
    )
    raise InputError(f"{lake.root} has {rule}; choose one of: {'; '.join(pairs)}")


def _ordered(rows: pl.LazyFrame, request: ReviewRequest) -> pl.LazyFrame:
    """The first rows in the order of the request; all rows for a random sample, which needs their ids."""
    columns = rows.select(COLUMNS)
    match request.by:
        case "margin" | "disagreement":
            return columns.sort("margin", "image_id").head(request.limit)
        case "probability":
            return columns.sort("probability", "image_id").head(request.limit)
        case "class":
            place = pl.col("probability").rank("ordinal").over("label")
            return (
                columns.sort("image_id")
                .with_columns(place=place)
                .sort("place", "label")
                .head(request.limit)
                .drop("place")
            )
        case "random":
            return columns


def _contradicted(lake: Lake, finished: pl.DataFrame, rows: pl.LazyFrame, subject: Subject) -> pl.LazyFrame:
    """Those of the rows whose label is not the class that the index states, or that the classifier before has given."""
    of_subject = finished.filter(
        pl.col("collection") == subject.collection,
        pl.col("description_set") == subject.description_set,
        pl.col("labelled") > 0,
    )
    before = of_subject.filter(pl.col("classifier") != subject.classifier)["classifier"]
    other = pl.lit(None, pl.String)
    if before.len():
        which = {"collection": subject.collection, "classifier": before[-1]}
        earlier = scan_current(lake, finished, which)  # type: ignore[arg-type]  # names of filters
        earlier = earlier.select("image_id", "etag", other="predicted")
        rows = rows.join(earlier, on=["image_id", "etag"], how="left", maintain_order="left")
        other = pl.col("other")
    differs = (other != pl.col("label")).fill_null(value=False)
    stated = (pl.col("true_class") != pl.col("label")).fill_null(value=False)
    return rows.filter(differs | stated)
