"""A loaded classifier: decoded images in, labels out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import UInt8

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.matching import Scores
from laketag.pipeline.classifier.methods import ImageLabel, Matcher
from laketag.pipeline.classifier.views import Encoders, ViewMaker
from laketag.pipeline.config import MethodSettings


class Classifier:
    """Labels images; every draw is keyed by image id and seed, so batch, actor and order never change a label."""

    def __init__(
        self,
        encoders: Encoders,
        texts: ClassTexts,
        method: MethodSettings,
        *,
        views_per_pass: int,
        threads: int = 1,
    ) -> None:
        backbone = encoders.backbone
        texts.check(backbone.embed_dim)
        self._class_names = texts.class_names
        self._matcher = Matcher(texts, method, backbone.logit_scale, backbone.device)
        workers = ThreadPoolExecutor(threads, thread_name_prefix="cut") if threads > 1 else None
        self._views = ViewMaker(encoders, method, views_per_pass, workers)
        self._images_at_once = views_per_pass
        self._tags = method.tags

    @torch.inference_mode()
    def label(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], image_ids: Sequence[str]
    ) -> list[ImageLabel]:
        """One label for each image (uint8 RGB, upright), in order."""
        labels: list[ImageLabel] = []
        for start in range(0, len(images), self._images_at_once):
            stop = start + self._images_at_once
            views = self._views.make(images[start:stop], image_ids[start:stop])
            first = 0
            for scores in self._matcher.match(views.embeddings):
                labels += self._read_labels(scores, views.boxes_xyxy_px[first:])
                first += len(scores.scores)
        return labels

    def _read_labels(self, scores: Scores, boxes_xyxy_px: np.ndarray) -> list[ImageLabel]:
        """Labels and tags from scores, best first; of classes with equal scores the first one wins."""
        rows = zip(
            scores.scores.cpu().numpy(),
            scores.probabilities.cpu().numpy(),
            scores.evidence_view.tolist(),
            scores.evidence_text.tolist(),
            boxes_xyxy_px,
            strict=False,
        )
        names = self._class_names
        labels = []
        for of_class, probabilities, view, text, boxes in rows:
            order = np.argsort(-of_class, kind="stable")
            best, second = of_class[order[0]], of_class[order[:2][-1]]
            x0, y0, x1, y1 = (int(edge) for edge in boxes[view])
            labels.append(
                ImageLabel(
                    tags=tuple((names[index], float(probabilities[index])) for index in order[: self._tags]),
                    score=float(best),
                    margin=float(best - second),
                    evidence_box_xyxy_px=(x0, y0, x1, y1),
                    evidence_description=self._matcher.texts[text],
                )
            )
        return labels
