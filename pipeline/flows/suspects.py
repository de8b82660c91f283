"""Images that may have killed a process: found while a run works, and tried once more, one by one, at its end."""

from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.cluster.worker_exits import describe_exit
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, write_part
from laketag.pipeline.stages.death_watch import IMAGE, DeathWatch, poison
from laketag.schemas import Labels

ALONE_DEATHS = 3
"""Processes that have to die of an image while nothing else is at work; others may have ended some of them."""


class Suspects:
    """The images of a run of which processes died."""

    def __init__(self, lake: Lake, run: Run) -> None:
        self._lake, self._run = lake, run
        self._notes = WorkNotes(run.run_id)
        self._notes.clear()
        self.watch = DeathWatch(self._notes, deaths=1)
        self._alone: list[str] | None = None

    def limit(self, resources: Resources) -> Resources:
        """The resources, or those for one image at a time if suspects are tried alone."""
        return resources if self._alone is None else resources.for_one_image()

    def find_given_up(self) -> list[str]:
        """Ids of the images of which enough processes died."""
        begun = self._notes.list_begun(IMAGE)
        return [image_id for image_id in begun if self._notes.count(IMAGE + image_id) >= self.watch.deaths]

    def find_rest(self, unlabelled: pl.DataFrame) -> pl.DataFrame:
        """The rows (schemas.Plan) that are still to be tried."""
        is_given_up = pl.col("image_id").is_in(self.find_given_up())
        if self._alone is None:
            return unlabelled.filter(~is_given_up)
        return unlabelled.filter(~is_given_up, pl.col("image_id").is_in(self._alone))

    def begin_alone(self, unlabelled: pl.DataFrame) -> pl.DataFrame:
        """The suspects among the rows (schemas.Plan) are returned, and from now on they are tried one at a time."""
        rows = unlabelled.filter(pl.col("image_id").is_in(self.find_given_up()))
        self._notes.clear()
        self.watch = DeathWatch(self._notes, ALONE_DEATHS)
        self._alone = rows["image_id"].to_list()
        return rows

    def write_poison(self, rows: pl.DataFrame) -> None:
        """Those of the rows (schemas.Plan) of which processes died again are staged as ``poison``."""
        found = rows.filter(pl.col("image_id").is_in(self.find_given_up()))
        details = []
        for image_id in found["image_id"]:
            begun = self._notes.read(IMAGE + image_id)
            assert begun is not None
            details.append(poison(begun.times, begun.stage, describe_exit(begun.worker_id)).detail)
        failed = found.select(
            *(name for name in Labels.column_names() if name in found.columns),
            failure=pl.lit("poison"),
            failure_detail=pl.Series(details, dtype=pl.String),
            attempts=pl.lit(ALONE_DEATHS),
            run_id=pl.lit(self._run.run_id),
            labelled_at=datetime.now(UTC),
        )
        if failed.height:
            write_part(
                self._lake,
                self._run.run_id,
                pl.concat([Labels.create_empty(), failed], how="diagonal_relaxed"),
            )

    def clear(self) -> None:
        """No note of the run is left in the cluster."""
        self._notes.clear()
