"""A loaded classifier: decoded images in, labels out."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import UInt8

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.matching import Scores
from laketag.pipeline.classifier.methods import ImageLabel, Matcher, share_rule
from laketag.pipeline.classifier.micro_batch import MicroBatch, is_out_of_memory
from laketag.pipeline.classifier.story import Story, View
from laketag.pipeline.classifier.views import Encoders, Images, ViewMaker, Views
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
        self.class_names = texts.class_names
        self.share_rule = share_rule(method, backbone.logit_scale)
        self._matcher = Matcher(texts, method, backbone.logit_scale, backbone.device)
        workers = ThreadPoolExecutor(threads, thread_name_prefix="cut") if threads > 1 else None
        self._at_once = MicroBatch(views_per_pass)
        self._views = ViewMaker(encoders, method, self._at_once, workers)
        self._tags = method.tags

    @torch.inference_mode()
    def label(self, images: Images, image_ids: Sequence[str]) -> list[ImageLabel]:
        """One label for each image (uint8 RGB, upright), in order.

        Where the device has too little memory, fewer views are computed at once; a ClusterError if it has not enough for one.
        """
        labels: list[ImageLabel] = []
        while len(labels) < len(images):
            part = slice(len(labels), len(labels) + self._at_once.size)
            found = self._try_to_label(images[part], image_ids[part])
            if found is None:  # outside the except clause, where the error keeps the tensors alive
                self._at_once.shrink()
            else:
                labels += found
                self._at_once.note_success()
        return labels

    def _try_to_label(self, images: Images, image_ids: Sequence[str]) -> list[ImageLabel] | None:
        """Labels of the images; None if the device ran out of memory."""
        try:
            views = self._views.make(images, image_ids)
            labels: list[ImageLabel] = []
            for scores in self._matcher.match(views.embeddings):
                labels += self._read_labels(scores, views.boxes_xyxy_px[len(labels) :])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return labels

    @torch.inference_mode()
    def tell_story(self, image: UInt8[np.ndarray, "height width 3"], image_id: str) -> Story:
        """The label of one image, and how it came about."""
        while (views := self._try_to_make(image, image_id)) is None:
            self._at_once.shrink()
        (scores,) = self._matcher.match(views.embeddings)
        (label,) = self._read_labels(scores, views.boxes_xyxy_px)
        texts, cosines = self._matcher.find_nearest(views.embeddings[0])
        names, matcher = self.class_names, self._matcher
        nearest = [
            View(
                box_xyxy_px=(int(x0), int(y0), int(x1), int(y1)),
                text=matcher.texts[text],
                class_name=names[matcher.class_of_text[text]],
                cosine=cosine,
            )
            for (x0, y0, x1, y1), text, cosine in zip(
                views.boxes_xyxy_px[0], texts.tolist(), cosines.tolist(), strict=True
            )
        ]
        attention = None
        if views.attention is not None:
            side = math.isqrt(views.attention.shape[1])
            attention = views.attention[0].reshape(side, side)
        return Story(
            label=label,
            views=tuple(nearest),
            feature_crops=views.feature_crops,
            attention=attention,
            attended_xyxy_px=self._views.attended_xyxy_px(image),
            class_names=names,
            scores=scores.scores[0].cpu().numpy(),
            probabilities=scores.probabilities[0].cpu().numpy(),
        )

    def _try_to_make(self, image: UInt8[np.ndarray, "height width 3"], image_id: str) -> Views | None:
        """The views of one image; None if the device ran out of memory."""
        try:
            return self._views.make([image], [image_id])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None

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
        names = self.class_names
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
                    scores=of_class,
                    probabilities=probabilities,
                )
            )
        return labels
