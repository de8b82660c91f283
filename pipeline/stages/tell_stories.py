"""Stage: decoded images in, the story of each label and a picture out."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from laketag.pipeline.errors import LaketagError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.draw_thumbnails import draw_webp
from laketag.pipeline.stages.label_images import load_classifier, rgb_u8
from laketag.pipeline.stages.loading import try_to_load

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.story import Story

LONGEST_PX = 448
"""Of the picture of a story."""
BEST_CLASSES = 6


class TellStories:
    """Actor: rows with decoded images in; an id with ``webp`` and ``story`` (JSON), or with its failure, out for each."""

    def __init__(self, *, lake: Lake, pickled_spec: bytes, device: str, threads: int) -> None:
        """``pickled_spec`` is a ClassifierSpec."""
        self._classifier = try_to_load(partial(load_classifier, lake, pickled_spec, device, threads), device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Tell the stories of the rows that have pixels."""
        if isinstance(self._classifier, LaketagError):
            raise self._classifier
        pictures: list[bytes | None] = []
        stories: list[str | None] = []
        ids, failures = batch["image_id"].to_pylist(), batch["failure"].to_pylist()
        for row, (image_id, failure) in enumerate(zip(ids, failures, strict=True)):
            picture = story = None
            if failure is None:
                rgb = rgb_u8(batch, row)
                told = self._classifier.tell_story(rgb, image_id)
                picture = draw_webp(rgb, LONGEST_PX)
                story = (
                    json.dumps(as_fractions(told, rgb.shape[1], rgb.shape[0]))
                    if told.label.is_finite
                    else None
                )
            pictures.append(picture)
            stories.append(story)
        small = batch.select(["image_id", "failure", "failure_detail"])
        small = small.append_column("webp", pa.array(pictures, pa.binary()))
        return small.append_column("story", pa.array(stories, pa.string()))


def as_fractions(story: "Story", width_px: int, height_px: int) -> dict[str, Any]:
    """The story as plain values: boxes as x0, y0, x1, y1 in fractions of the image, and the classes with the highest scores."""
    order = story.scores.argsort(kind="stable")[::-1][:BEST_CLASSES]
    sides = (width_px, height_px, width_px, height_px)

    def fractions(box: tuple[float, ...]) -> list[float]:
        return [edge / side for edge, side in zip(box, sides, strict=True)]

    return {
        "label": story.label.label,
        "probability": story.label.probability,
        "evidence": fractions(story.label.evidence_box_xyxy_px),
        "views": [
            {
                "box": fractions(view.box_xyxy_px),
                "text": view.text,
                "class_name": view.class_name,
                "cosine": view.cosine,
            }
            for view in story.views
        ],
        "feature_crops": story.feature_crops,
        "attention": None if story.attention is None else story.attention.tolist(),
        "attended": fractions(story.attended_xyxy_px),
        "classes": [
            {
                "name": story.class_names[index],
                "score": float(story.scores[index]),
                "probability": float(story.probabilities[index]),
            }
            for index in order
        ],
    }
