"""How much of each image is encoded before its label is decided: all crops, the whole image first, or crops in rounds."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from laketag.pipeline.classifier.attention import needs_attention
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.matching import Scores
from laketag.pipeline.classifier.methods import Matcher
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.stopping import StopRule, use_crops
from laketag.pipeline.classifier.views import Encoders, Images, ViewMaker, Views
from laketag.pipeline.config import MethodSettings


@dataclass(frozen=True)
class Seen:
    """Images of a batch that are labelled from equally many views."""

    places: Int[np.ndarray, "images"]  # in the batch
    views: Views
    matcher: Matcher
    tier: str = "full"
    crops: int = 0  # encoded for each image
    weight: float = 1.0  # of the scores, so that sums over fewer views compare with those over all

    def match(self) -> Iterator[Scores]:
        """The scores of the images, in order, in chunks that fit in memory."""
        return self.matcher.match(self.views.embeddings)


class Budget:
    """Sees as much of each image as the method's budget says."""

    def __init__(
        self,
        encoders: Encoders,
        texts: ClassTexts,
        method: MethodSettings,
        cutting: tuple[MicroBatch, Executor | None],
    ) -> None:
        """``cutting``: how many views go together, and what cuts them."""
        backbone = encoders.backbone
        self._method = method
        self._matcher = Matcher(texts, method, backbone.logit_scale, backbone.device)
        self.views = ViewMaker(encoders, method, *cutting)
        if method.budget == "cascade":
            clip = method.model_copy(update={"name": "clip", "budget": "full"})
            self._cheap_matcher = Matcher(texts, clip, backbone.logit_scale, backbone.device)
            self._cheap_views = ViewMaker(encoders, clip, *cutting)

    def see(self, images: Images, image_ids: Sequence[str]) -> Iterator[Seen]:
        """Each image once, in groups."""
        places = np.arange(len(images))
        match self._method.budget:
            case "full":
                yield self._see_all(images, image_ids, places)
            case "cascade":
                yield from self._see_in_cascade(images, image_ids, places)
            case "adaptive":
                at_once = self._matcher.images_at_once(self._crops)
                for start in range(0, len(images), at_once):
                    part = slice(start, start + at_once)
                    yield from self._see_in_rounds(images[part], image_ids[part], places[part])

    @property
    def _crops(self) -> int:
        """Of all kinds, of an image that gets all."""
        method = self._method
        return method.crops * (method.raw_crops + method.feature_crops) if needs_attention(method) else 0

    def _see_all(self, images: Images, image_ids: Sequence[str], places: Int[np.ndarray, "images"]) -> Seen:
        return Seen(places, self.views.make(images, image_ids), self._matcher, crops=self._crops)

    def _see_in_cascade(
        self, images: Images, image_ids: Sequence[str], places: Int[np.ndarray, "images"]
    ) -> Iterator[Seen]:
        """The whole image alone of those that it decides, all crops of the others."""
        whole = self._cheap_views.make(images, image_ids)
        leads = [lead_of(scores.probabilities) for scores in self._cheap_matcher.match(whole.embeddings)]
        decided = (torch.cat(leads) > self._method.cascade_lead).cpu().numpy()
        if decided.any():
            views = Views(whole.embeddings[torch.from_numpy(decided)], whole.boxes_xyxy_px[decided])
            yield Seen(places[decided], views, self._cheap_matcher, "cheap")
        rest = np.flatnonzero(~decided).tolist()
        if rest:
            yield self._see_all(
                [images[place] for place in rest], [image_ids[place] for place in rest], places[rest]
            )

    def _see_in_rounds(
        self, images: Images, image_ids: Sequence[str], places: Int[np.ndarray, "images"]
    ) -> Iterator[Seen]:
        """Crops in rounds, which images leave as they are settled; the crops of those that are left go together."""
        looked = self.views.look(images, image_ids)
        kinds = looked.boxes_xyxy_px.shape[1]
        crops = self._method.crops
        parts: list[tuple[np.ndarray, slice, Tensor]] = []

        def contribute(
            active: Int[np.ndarray, "active"], part: slice
        ) -> Float[Tensor, "active drawn classes"]:
            embeddings = self.views.encode(looked, active, part)
            parts.append((active, part, embeddings))
            found = self._matcher.contribute(embeddings.flatten(1, 2))
            return found.view(len(active), kinds, -1, found.shape[2]).sum(dim=1)

        rule = StopRule(
            crops,
            self._method.round_crops,
            self._method.adaptive_confidence,
            lambda leaders: kinds * self._matcher.reach(leaders),
        )
        used = use_crops(len(images), rule, contribute)
        for count in np.unique(used):
            own = np.flatnonzero(used == count)
            views = torch.cat(
                [
                    embeddings[np.isin(active, own)]
                    for active, part, embeddings in parts
                    if part.stop <= count
                ],
                dim=2,
            )
            yield Seen(
                places[own],
                looked.views(views, own),
                self._matcher,
                "full" if count == crops else "early",
                kinds * int(count),
                crops / count if self._matcher.matches_softly else 1.0,
            )


def lead_of(probabilities: Float[Tensor, "images classes"]) -> Float[Tensor, "images"]:
    """The probability of the best class minus that of the second; of a single class its own."""
    best = probabilities.topk(min(2, probabilities.shape[1]), dim=1).values
    return best[:, 0] - best[:, 1:].sum(dim=1)
