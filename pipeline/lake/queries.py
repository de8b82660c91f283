"""Polars LazyFrames over the finished runs of a lake, in a folder or on S3.

    from laketag.pipeline.lake.queries import labels
    labels("s3://bucket/lake", collection="photos").filter(pl.col("margin") > 1).collect(engine="streaming")

Queries start from ``runs/``: they scan exactly the label files that finished runs name, so an unfinished run is
invisible. A call reads the table of runs (one small file each), the decisions and some footers; ``collect`` reads the rest.
An image whose current row (laketag.pipeline.lake.current_rows) is a label or a decision is in ``labels``, any other in
``failures``: together they hold every labelled or failed image of the index exactly once. The column ``status`` tells whether
the newest index has the image in the version of the row (``current``) or in another (``stale``, until it is labelled again). Rows
of images that it does not have (``removed``) come with ``also_removed=True``.

An image that is of none of the classes is in ``labels`` with the label NONE_OF_THESE and without probability: a person has
decided so (``source`` is ``decision``), or it has abstained, because a calibration accepted no class for it (``classifier``).
``also_abstained=True`` shows the best class of those that have abstained, and ``accepted=True`` only labels over their threshold.

Every function takes its filters (laketag.pipeline.lake.filters) as keywords, and ``storage`` if the AWS variables do not
name the store. Columns that only programs compare, such as ids, come last. InputError if the lake holds no finished run;
UnknownValueWarning if a filter names what the lake does not have.
"""

from laketag.pipeline.lake.image_queries import failures, labels, summary, tags, unsure
from laketag.pipeline.lake.opened_lake import OpenedLake, open_runs
from laketag.pipeline.lake.record_queries import decisions, nights, runs

__all__ = [
    "TABLES",
    "OpenedLake",
    "decisions",
    "failures",
    "labels",
    "nights",
    "open_runs",
    "runs",
    "summary",
    "tags",
    "unsure",
]

TABLES = {
    table.__name__: table for table in (runs, nights, labels, unsure, tags, failures, summary, decisions)
}
"""The queries without SQL, by name."""
