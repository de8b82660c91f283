"""What a run keeps beside its labels: one row for each labelled image, in a table of its own under the root.

While the run is unfinished, the rows are in staging, in files beside the labelled parts (laketag.pipeline.lake.staging).
laketag.pipeline.lake.publish_kept makes the run's files of them.
"""

from typing import cast

import dataframely as dy

from laketag.pipeline.config import EmbeddingFormat
from laketag.pipeline.lake.paths import KEPT_TABLES, KeptTable
from laketag.schemas import Embeddings, Scores

KEPT_SCHEMAS: dict[KeptTable, type[dy.Schema]] = {"scores": Scores, "embeddings": Embeddings}
KEY = ("image_id", "etag", "run_id")
"""The columns by which a row belongs to one of the labels, in every such table."""


def kept_tables(keep: str) -> list[KeptTable]:
    """The tables that a run with this ``keep`` writes beside its labels."""
    wanted = {one.partition("=")[0] for one in keep.split()}
    return [table for table in KEPT_TABLES if table in wanted]


def embedding_format(keep: str) -> EmbeddingFormat | None:
    """The format in which a run with this ``keep`` keeps embeddings; None if it keeps none."""
    wanted = dict(one.partition("=")[::2] for one in keep.split())
    return cast("EmbeddingFormat | None", wanted.get("embeddings"))
