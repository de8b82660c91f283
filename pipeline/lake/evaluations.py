"""The tables of evaluations, which nothing but laketag evaluate reads.

=========  =====================================================================================
results    ``evaluations/E/results/collection=C/part-*.parquet``: schemas.EvaluationResults
texts      ``evaluations/E/texts/NAME.parquet``: schemas.Descriptions, texts that methods made themselves
summary    ``evaluations/E/summary.parquet``: schemas.EvaluationSummary
report     ``evaluations/E/report/*``: Markdown, CSV and plots, for people
=========  =====================================================================================

E is ``COLLECTION-HASH``; the hash names everything that decides results besides methods and seeds, so further ones are added.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.schemas import TRANSIENT_FAILURES, Descriptions, EvaluationResults, EvaluationSummary

TRIAL = ["method", "seed"]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation in a lake."""

    lake: Lake
    name: str
    collection: str

    @property
    def url(self) -> str:
        """Its folder."""
        return self.lake.path("evaluations", self.name)

    def text_url(self, name: str) -> str:
        """The file of texts that a method made itself."""
        return f"{self.url}/texts/{name}.parquet"

    def write_results(self, rows: pl.DataFrame) -> None:
        """The rows (schemas.EvaluationResults) are stored in a file of their own, which writing them again replaces."""
        keys = rows.select("image_id", *TRIAL).sort("image_id", *TRIAL).rows()
        name = hashlib.blake2b(repr(keys).encode(), digest_size=12).hexdigest()
        url = f"{self.url}/results/collection={self.collection}/part-{name}.parquet"
        write_table(rows, url, EvaluationResults, self.lake.storage)

    def read_results(self) -> pl.DataFrame:
        """All rows (schemas.EvaluationResults) that are final: of a trial of an image the labelled one, if there are several.

        What failed for a reason that may pass is left out, as it is tried again.
        """
        files = list_files(f"{self.url}/results", self.lake.storage)
        if not files:
            return EvaluationResults.create_empty()
        # a part may repeat trials of another one, which was written by a process that was killed or ran beside
        parts = [read_table(file, EvaluationResults, self.lake.storage) for file in files]
        rows = pl.concat(parts).sort(pl.col("failure").is_not_null(), maintain_order=True)
        rows = rows.unique(["image_id", *TRIAL], keep="first", maintain_order=True)
        return rows.filter(~pl.col("failure").is_in(TRANSIENT_FAILURES).fill_null(False))

    def write_texts(self, name: str, rows: pl.DataFrame) -> None:
        """The rows (schemas.Descriptions) are the texts of this name."""
        write_table(rows, self.text_url(name), Descriptions, self.lake.storage)

    def has_texts(self, name: str) -> bool:
        """Whether the texts of this name are there."""
        return self.text_url(name) in list_files(f"{self.url}/texts", self.lake.storage)

    def write_report(
        self, summary: pl.DataFrame, about: Mapping[str, str], files: Mapping[str, bytes]
    ) -> None:
        """The summary (schemas.EvaluationSummary) is stored, with what it is about, and the files beside it."""
        write_table(summary, f"{self.url}/summary.parquet", EvaluationSummary, self.lake.storage, about)
        for name, content in files.items():
            write_bytes(f"{self.url}/report/{name}", content, self.lake.storage)


def read_summaries(lake: Lake) -> pl.DataFrame:
    """The summaries of all evaluations (schemas.EvaluationSummary with the column ``evaluation``)."""
    found = [EvaluationSummary.create_empty().select(pl.lit("").alias("evaluation"), pl.all()).clear()]
    for name in list_folders(lake.path("evaluations"), lake.storage):
        files = [
            url
            for url in list_files(f"{lake.path('evaluations')}/{name}", lake.storage)
            if url.endswith("/summary.parquet")
        ]
        for url in files:
            rows = read_table(url, EvaluationSummary, lake.storage)
            found.append(rows.select(pl.lit(name).alias("evaluation"), pl.all()))
    return pl.concat(found)
