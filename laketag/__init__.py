"""Zero-shot labels for every image of a lake.

    import laketag

    laketag.index("photos/", "lake", "photos")
    laketag.describe("classes.txt", "lake", "things")
    laketag.label("lake", "photos", "things")
    laketag.labels("lake", collection="photos").collect()

``index``, ``describe``, ``label``, ``evaluate``, ``calibrate``, ``recalibrate``, ``nightly``, ``report``, ``review_out``,
``review_in``, ``collections``, ``sets``, ``forget``, ``compact``, ``clean`` and ``verify`` do what the commands of these names do
and take their arguments; they return what they print. They are quiet unless they get a ``rich.console.Console`` as ``console``.
``runs``, ``nights``, ``labels``, ``unsure``, ``tags``, ``failures``, ``summary``, ``decisions`` and ``sql`` return Polars
LazyFrames over the finished runs of a lake and the decisions of people.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "calibrate",
    "clean",
    "collections",
    "compact",
    "decisions",
    "describe",
    "evaluate",
    "failures",
    "forget",
    "index",
    "label",
    "labels",
    "nightly",
    "nights",
    "recalibrate",
    "report",
    "review_in",
    "review_out",
    "runs",
    "sets",
    "sql",
    "summary",
    "tags",
    "unsure",
    "verify",
]

COMMANDS = (
    "calibrate",
    "clean",
    "collections",
    "compact",
    "describe",
    "evaluate",
    "forget",
    "index",
    "label",
    "nightly",
    "recalibrate",
    "report",
    "review_in",
    "review_out",
    "sets",
    "verify",
)

if TYPE_CHECKING:
    from laketag.jobs.calibrate import calibrate
    from laketag.jobs.clean import clean
    from laketag.jobs.collections import collections
    from laketag.jobs.compact import compact
    from laketag.jobs.describe import describe
    from laketag.jobs.evaluate import evaluate
    from laketag.jobs.forget import forget
    from laketag.jobs.index import index
    from laketag.jobs.label import label
    from laketag.jobs.nightly import nightly
    from laketag.jobs.recalibrate import recalibrate
    from laketag.jobs.report import report
    from laketag.jobs.review import review_in, review_out
    from laketag.jobs.sets import sets
    from laketag.jobs.verify import verify
    from laketag.pipeline.lake.queries import decisions, failures, labels, nights, runs, summary, tags, unsure
    from laketag.pipeline.lake.sql import sql

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """Import a name when it is first used: ``import laketag`` alone loads neither Polars nor Ray nor Torch."""
        if name in COMMANDS:
            command = name.partition("_")[0]
            value = getattr(import_module(f"laketag.jobs.{command}"), name)
        elif name in __all__:
            module = "sql" if name == "sql" else "queries"
            value = getattr(import_module(f"laketag.pipeline.lake.{module}"), name)
        elif name == "__version__":
            value = import_module("laketag.pipeline.version").laketag_version()
        else:
            raise AttributeError(f"module 'laketag' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
