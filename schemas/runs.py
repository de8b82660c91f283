"""Contract of the table of finished runs."""

import dataframely as dy
import polars as pl

BRAKES = ("start", "fetch", "decode", "label", "publish", "waiting")
"""What may hold a run back."""


class Runs(dy.Schema):
    """One row for each finished run; a label file counts only if a run names it."""

    run_id = dy.String(
        primary_key=True, description="starts with the UTC time of its plan, so runs sort by age"
    )
    collection = dy.String(min_length=1, description="the collection that was labelled")
    snapshot = dy.String(min_length=1, description="the index snapshot that was planned from")
    snapshot_removed = dy.Bool(
        nullable=True, description="whether laketag clean has removed the snapshot; null: it has not"
    )
    classifier = dy.String(
        min_length=1,
        description="fingerprint of weights, method, preprocessing, descriptions and label schema",
    )
    description_set = dy.String(min_length=1, description="name of the description set")
    description_version = dy.String(min_length=1, description="version of the description set")
    method = dy.String(min_length=1, description="how images were labelled: abs or clip")
    index_rows = dy.Int64(min=0, description="images in the snapshot")
    already_done = dy.Int64(min=0, description="images of the snapshot that earlier runs had done")
    planned = dy.Int64(
        min=0, description="images that this run had to do; fewer than were left if a limit was given"
    )
    left = dy.Int64(
        min=0,
        nullable=True,
        description="pending images that the run left for later runs; null: of laketag 0.1.0",
    )
    labelled = dy.Int64(min=0, description="images that got a label")
    failures = dy.List(
        dy.Struct({"reason": dy.String(), "images": dy.Int64(min=1)}),
        description="images without a label, by reason",
    )
    forgotten = dy.Int64(
        nullable=True, min=0, description="planned images whose rows were removed later, by laketag forget"
    )
    files = dy.List(dy.String(), description="the run's label files, relative to the lake's root")
    file_rows = dy.List(
        dy.Int64(min=0, nullable=True),
        nullable=True,
        description="the rows in each of the files, of all runs that share it; null: of laketag 0.1.0",
    )
    file_sha256 = dy.List(
        dy.String(nullable=True),
        nullable=True,
        description="the SHA-256 of each of the files in hex; null: of laketag 0.1.0",
    )
    calibration = dy.String(
        nullable=True,
        description="D, the hash of the calibration that decided what is accepted; null: none did",
    )
    recalibrated = dy.Bool(
        nullable=True,
        description="whether laketag recalibrate made the run: labels of earlier runs, decided anew from kept scores; null: no",
    )
    keep = dy.String(
        nullable=True,
        description="what the run keeps beside its labels, such as scores embeddings=fp16; null: nothing",
    )
    encoder = dy.String(
        nullable=True,
        description="of runs that keep embeddings or are made from some, as JSON: the part of what the classifier is named by "
        "that decides them",
    )
    made_from = dy.String(
        nullable=True,
        description="embeddings=FORMAT: planned to be labelled from embeddings that earlier runs have kept; null: from pixels",
    )
    kept_files = dy.List(
        dy.String(), nullable=True, description="the files that hold it, relative to the lake's root"
    )
    kept_file_rows = dy.List(
        dy.Int64(min=0), nullable=True, description="the rows in each of them, of all runs that share it"
    )
    kept_file_sha256 = dy.List(dy.String(), nullable=True, description="the SHA-256 of each of them in hex")
    settings = dy.String(description="settings that shaped the result, as JSON")
    models = dy.String(description="names and sha256 of the weights, as JSON")
    started_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when the plan was frozen, UTC")
    finished_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when the run was committed, UTC")
    images_per_s = dy.Float64(
        min=0,
        description="images done in a second, from the first one that came to a loaded model to the last; 0: unknown; of "
        "earlier versions: of the last process that worked on the run",
    )
    starts = dy.Int32(
        min=1,
        nullable=True,
        description="processes that drove the run, each after the one before had ended; null in "
        "all of these columns: of an earlier version",
    )
    seconds = dy.Float64(
        min=0,
        nullable=True,
        description="of all starts, from the call to the publication, or to the last image of one that was killed",
    )
    start_s = dy.Float64(
        min=0,
        nullable=True,
        description="of these, until the first image of each start came to a loaded model",
    )
    bytes_read = dy.Int64(min=0, nullable=True, description="encoded bytes of images read from the store")
    device_busy_fraction = dy.Float64(
        min=0, max=1, nullable=True, description="of the label actors' time, how much their models worked"
    )
    flow_to_bare_ratio = dy.Float64(
        min=0,
        max=1,
        nullable=True,
        description="images_per_s over that of the slowest stage in the seconds in which it worked",
    )
    held_back_by = dy.Enum(
        BRAKES,
        nullable=True,
        description="the busiest stage; start or publish if that took most of the time; waiting if no stage was half busy",
    )
    seconds_per_million = dy.Float64(
        min=0, nullable=True, description="seconds that a million images take at images_per_s"
    )
    cost_per_million = dy.Float64(
        min=0, nullable=True, description="what these cost at run.price_per_hour, in its currency"
    )
    stages = dy.List(
        dy.Struct(
            {
                "stage": dy.String(),
                "images": dy.Int64(min=0),
                "busy_s": dy.Float64(min=0),
                "at_once": dy.Float64(min=0, nullable=True),
                "images_per_s": dy.Float64(min=0, nullable=True),
                "busy_fraction": dy.Float64(min=0, max=1),
            }
        ),
        nullable=True,
        description="each stage: images, seconds of all its tasks or actors, how many worked at once, what all of them do in a "
        "second when nothing holds them back, and how much of the time they worked",
    )
    actors = dy.List(
        dy.Struct(
            {
                "actor": dy.String(nullable=True),
                "images": dy.Int64(min=0),
                "busy_s": dy.Float64(min=0),
                "images_per_s": dy.Float64(min=0, nullable=True),
                "busy_fraction": dy.Float64(min=0, max=1),
            }
        ),
        nullable=True,
        description="each label actor (node and process): images, seconds and rate of its model, and how much it worked",
    )
    writer = dy.String(min_length=1, description="id of the process that committed the run")
    laketag_version = dy.String(min_length=1, description="version of laketag")

    @dy.rule()
    def ledger_balances(cls) -> pl.Expr:
        """planned = labelled + failures + forgotten; index = planned + already done + left."""
        failed = cls.failures.col.list.eval(pl.element().struct.field("images")).list.sum()
        seen = cls.planned.col + cls.already_done.col
        return (cls.planned.col == cls.labelled.col + failed + cls.forgotten.col.fill_null(0)) & (
            cls.index_rows.col >= seen + cls.left.col.fill_null(0)
        )
