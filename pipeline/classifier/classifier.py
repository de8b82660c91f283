"""A loaded classifier: decoded images in, labels out."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8

from laketag.pipeline.classifier.budgets import Budget, Seen
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.kept_views import KeptViews
from laketag.pipeline.classifier.methods import ImageLabel, share_rule
from laketag.pipeline.classifier.micro_batch import MicroBatch, is_out_of_memory
from laketag.pipeline.classifier.read_labels import read_labels
from laketag.pipeline.classifier.story import Story, View
from laketag.pipeline.classifier.views import Encoders, Images
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
        keeps_views: bool = False,
    ) -> None:
        """``keeps_views``: labels come with the embeddings that they are made from, and with that of the whole image."""
        texts.check(encoders.backbone.embed_dim)
        self.class_names = texts.class_names
        self.share_rule = share_rule(method, encoders.backbone.logit_scale)
        workers = ThreadPoolExecutor(threads, thread_name_prefix="cut") if threads > 1 else None
        self._at_once = MicroBatch(views_per_pass)
        self._budget = Budget(encoders, texts, method, (self._at_once, workers))
        self._tags = method.tags
        self._keeps_views = keeps_views
        self._logit_scale = encoders.backbone.logit_scale

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
            labels: dict[int, ImageLabel] = {}
            for seen in self._budget.see(images, image_ids):
                found = read_labels(seen, self.class_names, self._tags)
                if self._keeps_views:
                    found = map(_with_views, found, self._find_views(images, seen))
                labels |= zip(seen.places.tolist(), found, strict=True)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return [labels[place] for place in range(len(images))]

    @torch.inference_mode()
    def tell_story(self, image: UInt8[np.ndarray, "height width 3"], image_id: str) -> Story:
        """The label of one image, and how it came about."""
        while (seen := self._try_to_see(image, image_id)) is None:
            self._at_once.shrink()
        views, matcher, names = seen.views, seen.matcher, self.class_names
        (scores,) = seen.match()
        (label,) = read_labels(seen, names, self._tags)
        texts, cosines = matcher.find_nearest(views.embeddings[0])
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
            attended_xyxy_px=self._budget.views.attended_xyxy_px(image),
            class_names=names,
            scores=seen.weight * scores.scores[0].cpu().numpy(),
            probabilities=scores.probabilities[0].cpu().numpy(),
        )

    def _try_to_see(self, image: UInt8[np.ndarray, "height width 3"], image_id: str) -> Seen | None:
        """What is seen of one image; None if the device ran out of memory."""
        try:
            (seen,) = self._budget.see([image], [image_id])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return seen

    def _find_views(self, images: Images, seen: Seen) -> Iterator[KeptViews]:
        """What the labels were made from, and before it the whole image, if that is not all."""
        embeddings, boxes = seen.views.embeddings, seen.views.boxes_xyxy_px
        if seen.crops:
            whole = self._budget.views.look_at_whole([images[place] for place in seen.places.tolist()])
            embeddings = torch.cat([whole.embeddings, embeddings], dim=1)
            boxes = np.concatenate([whole.boxes_xyxy_px, boxes], axis=1)
        for of_image, own_boxes in zip(embeddings.cpu().numpy(), boxes, strict=True):
            yield KeptViews(of_image, own_boxes, self._logit_scale)


def _with_views(label: ImageLabel, views: KeptViews) -> ImageLabel:
    return replace(label, views=views)
