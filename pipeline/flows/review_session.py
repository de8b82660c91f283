"""A person who decides one image after another; each decision is in the lake before the next image is shown."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from laketag.pipeline.flows.choose_for_review import ChosenForReview, as_item
from laketag.pipeline.lake.decisions import Decided, decision_frame, decision_row
from laketag.schemas import Verdict

TOP = 5
"""Classes that have a key each."""


class NotThisImageError(Exception):
    """Another image is to be decided now, as another window has decided this one."""


@dataclass
class ReviewSession:
    """The images that are left, and what was decided. All methods may be called from any thread."""

    decided: Decided
    chosen: ChosenForReview
    reviewer: str
    check: Callable[[], None]
    """Raises a BusyError if decisions may not be written any more."""
    _left: list[dict[str, Any]] = field(init=False)
    _done: list[dict[str, Any]] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._left = self.chosen.rows.rows(named=True)

    def find(self, image_id: str) -> dict[str, Any] | None:
        """The row of an image of this session."""
        with self._lock:
            return next((row for row in (*self._left, *self._done) if row["image_id"] == image_id), None)

    def describe(self) -> dict[str, Any]:
        """What the page shows: how far the person is, the image to be decided, and the one after it."""
        with self._lock:
            return {
                "done": len(self._done),
                "total": len(self._done) + len(self._left),
                "image": self._describe(self._left[0]) if self._left else None,
                "next_id": self._left[1]["image_id"] if len(self._left) > 1 else None,
            }

    def decide(self, image_id: str, label: str | None) -> None:
        """It is recorded that the image is of the class, or of none; a NotThisImageError if another is to be decided now."""
        if label is not None and label not in self.chosen.subject.class_names:
            raise ValueError(f"{label!r} is no class of set {self.decided.set_name}")
        with self._lock:
            row = self._current(image_id)
            self._record(row, "none_of_these" if label is None else "class", label)
            self._done.append(self._left.pop(0))

    def skip(self, image_id: str) -> None:
        """The image is shown again after all others; nothing is recorded."""
        with self._lock:
            self._current(image_id)
            self._left.append(self._left.pop(0))

    def undo(self) -> None:
        """The last decision of this session, if there is one, is withdrawn, and its image is shown again."""
        with self._lock:
            if self._done:
                self._record(self._done[-1], "withdrawn", None)
                self._left.insert(0, self._done.pop())

    def _current(self, image_id: str) -> dict[str, Any]:
        if not self._left or self._left[0]["image_id"] != image_id:
            raise NotThisImageError
        return self._left[0]

    def _record(self, row: dict[str, Any], verdict: Verdict, label: str | None) -> None:
        self.check()
        made = decision_row(row, verdict, label, (self.reviewer, "serve"), datetime.now(UTC))
        self.decided.record(decision_frame([made]))

    def _describe(self, row: dict[str, Any]) -> dict[str, Any]:
        item = as_item(row, row["uri"])
        known = [tag for tag in item.tags if tag[0] in self.chosen.subject.class_names]
        return {
            "image_id": item.image_id,
            "uri": item.uri,
            "label": item.label,
            "box": item.box,
            "size_px": item.size_px,
            "description": item.description,
            "classes": [{"label": label, "probability": share} for label, share in known[:TOP]],
        }
