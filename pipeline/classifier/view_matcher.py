"""A classifier that looks at no pixels: kept embeddings in, labels out."""

from collections.abc import Sequence

import numpy as np
import torch

from laketag.pipeline.classifier.attention import needs_attention
from laketag.pipeline.classifier.budgets import Seen
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.kept_views import KeptViews
from laketag.pipeline.classifier.methods import ImageLabel, Matcher, share_rule
from laketag.pipeline.classifier.read_labels import read_labels
from laketag.pipeline.classifier.views import Views
from laketag.pipeline.config import MethodSettings


class ViewMatcher:
    """Labels images as laketag.pipeline.classifier.classifier.Classifier does with these views and a full budget."""

    def __init__(
        self, texts: ClassTexts, method: MethodSettings, logit_scale: float, device: torch.device
    ) -> None:
        self.class_names = texts.class_names
        self.share_rule = share_rule(method, logit_scale)
        self._texts, self._tags, self._device = texts, method.tags, device
        self._has_crops = needs_attention(method)
        self._matcher = Matcher(texts, method, logit_scale, self._device)

    @torch.inference_mode()
    def label(self, images: Sequence[KeptViews]) -> list[ImageLabel]:
        """One label for each image, in order; all have equally many views. An InputError if the texts have other dimensions."""
        if not images:
            return []
        own = slice(1, None) if self._has_crops else slice(0, 1)  # before the crops comes the whole image
        embeddings = np.stack([image.embeddings[own] for image in images])
        self._texts.check(embeddings.shape[2])
        boxes = np.stack([image.boxes_xyxy_px[own] for image in images])
        views = Views(torch.from_numpy(embeddings).to(self._device), boxes)
        crops = embeddings.shape[1] if self._has_crops else 0
        seen = Seen(np.arange(len(images)), views, self._matcher, crops=crops)
        return list(read_labels(seen, self.class_names, self._tags))
