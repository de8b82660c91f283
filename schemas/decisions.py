"""Contract of the table of decisions."""

from typing import Literal, get_args

import dataframely as dy
import polars as pl

Verdict = Literal[
    "class",  # the image is of the class in ``label``
    "none_of_these",  # it is of no class of the description set
    "withdrawn",  # nothing is decided any more
]
VERDICTS: tuple[str, ...] = get_args(Verdict)
Tool = Literal["csv", "label-studio", "fiftyone", "serve"]
TOOLS: tuple[str, ...] = get_args(Tool)


class Decisions(dy.Schema):
    """One row for each decision of a person about a version of an image; of several about one version the newest counts."""

    decision_id = dy.String(  # no primary key: a row may be in two files while they are merged
        min_length=1, description="hash of the image, its version, and what was decided when by whom"
    )
    image_id = dy.String(min_length=1, description="id of the image in the index")
    uri = dy.String(min_length=1, description="where the image was")
    etag = dy.String(
        min_length=1, description="the version of the image that was decided; for others it says nothing"
    )
    verdict = dy.Enum(
        VERDICTS,
        description="class, none_of_these, or withdrawn: the earlier decision does not count any more",
    )
    label = dy.String(nullable=True, min_length=1, description="the class, as the description set spells it")
    decided_by = dy.String(min_length=1, description="who decided, as the tool names the person")
    decided_at = dy.Datetime(
        time_unit="us", time_zone="UTC", description="when, UTC; when it was read, if the tool does not tell"
    )
    tool = dy.Enum(TOOLS, description="the format or the page that it was made with")
    recorded_at = dy.Datetime(
        time_unit="us", time_zone="UTC", description="when it was written into the lake, UTC"
    )

    @dy.rule()
    def only_a_class_has_a_label(cls) -> pl.Expr:
        """The verdict ``class`` has a label, and no other verdict has one."""
        return (cls.verdict.col == "class") == cls.label.col.is_not_null()
