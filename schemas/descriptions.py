"""Contract of the description table."""

from typing import Literal, get_args

import dataframely as dy
import polars as pl

DropReason = Literal[
    "empty",  # no text
    "exact_duplicate",  # an earlier description of the same class has the same text
    "near_duplicate",  # its cosine with a kept description of the same class reaches the limit
    "names_another_class",  # contains the name of another class of the set
    "closer_to_another_class",  # closer to the label prompt of another class than to that of its own
    "over_limit",  # the class has as many descriptions as it may keep
]
DROP_REASONS: tuple[str, ...] = get_args(DropReason)

LABEL_PROMPT_POSITION = -1


class Descriptions(dy.Schema):
    """One row for each description of each class, kept or dropped with its reason."""

    class_name = dy.String(primary_key=True, min_length=1, description="name of the class, as given")
    position = dy.Int32(
        primary_key=True,
        min=LABEL_PROMPT_POSITION,
        description="place among the class's descriptions; -1 is the label prompt",
    )
    text = dy.String(description="the sentence that was embedded")
    tokens = dy.Int32(min=0, description="tokens of the text with its start and end, before truncation")
    truncated = dy.Bool(description="the text was longer than the context and its end was cut")
    drop_reason = dy.Enum(
        DROP_REASONS, nullable=True, description="why the classifier does not use it; null if kept"
    )
    embedding = dy.List(
        dy.Float32(),
        nullable=True,
        description="text embedding of unit length; null if the text was not embedded",
    )

    @dy.rule()
    def kept_means_embedded(cls) -> pl.Expr:
        """What is kept has an embedding."""
        return cls.drop_reason.col.is_not_null() | cls.embedding.col.is_not_null()
