"""What a person wants to review."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

ReviewOrder = Literal[
    "margin",  # the smallest lead of the label's score over that of the second class first
    "probability",  # the least probable labels first
    "class",  # of each class its least probable label, then its second one, and so on
    "disagreement",  # labels that the index or the classifier before contradicts, the smallest margin first
    "random",  # drawn by a keyed hash of the image id: the same images each time
]
REVIEW_ORDERS: tuple[ReviewOrder, ...] = get_args(ReviewOrder)


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """Which labels of a collection are reviewed."""

    collection: str | None = None
    description_set: str | None = None
    by: ReviewOrder = "margin"
    limit: int = 100
    signed_for: timedelta | None = None
    """How long signed URLs of the images are valid; None: the images' own URIs."""
