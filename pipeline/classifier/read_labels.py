"""From the scores of images to their labels."""

from collections.abc import Iterator, Sequence

import numpy as np

from laketag.pipeline.classifier.budgets import Seen
from laketag.pipeline.classifier.methods import ImageLabel


def read_labels(seen: Seen, class_names: Sequence[str], tags: int) -> Iterator[ImageLabel]:
    """Labels and tags, best first; of classes with equal scores the first one wins."""
    rows = (
        row
        for scores in seen.match()
        for row in zip(
            scores.scores.cpu().numpy(),
            scores.probabilities.cpu().numpy(),
            scores.evidence_view.tolist(),
            scores.evidence_text.tolist(),
            strict=True,
        )
    )
    boxes_of_images = seen.views.boxes_xyxy_px
    for (of_class, probabilities, view, text), boxes in zip(rows, boxes_of_images, strict=True):
        order = np.argsort(-of_class, kind="stable")
        best, second = of_class[order[0]], of_class[order[:2][-1]]
        x0, y0, x1, y1 = (int(edge) for edge in boxes[view])
        yield ImageLabel(
            tags=tuple((class_names[index], float(probabilities[index])) for index in order[:tags]),
            score=float(best * seen.weight),
            margin=float((best - second) * seen.weight),
            evidence_box_xyxy_px=(x0, y0, x1, y1),
            evidence_description=seen.matcher.texts[text],
            tier=seen.tier,
            crops=seen.crops,
            scores=of_class * seen.weight,
            probabilities=probabilities,
        )
