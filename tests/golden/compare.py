"""Our numbers against the expected ones: the largest deviation of each quantity, and its limit.

Each step gets the golden's own input of that step (its draws, its boxes), so that a deviation does not appear again in
the next step. Only the class scores and logits are computed from our own embeddings of crops and texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from laketag.pipeline.classifier.attention import attended_patches
from laketag.pipeline.classifier.class_texts import padded_positions
from laketag.pipeline.classifier.feature_crops import crop_tokens, feature_crop_cells
from laketag.pipeline.classifier.matching import match_softly
from laketag.pipeline.classifier.pixels import PixelSource
from laketag.pipeline.classifier.raw_crops import SeenImage, raw_crop_boxes
from tests.golden.read import LABEL_PROMPT, Golden

ATTENTION = 1e-4
EMBEDDING = 1e-5
SCORE_RELATIVE = 1e-3
SCORE_FLOOR = 1e-2
"""Below this, scores are compared absolutely, because a sum whose terms cancel has no relative precision."""


@dataclass(frozen=True)
class Deviation:
    """The largest deviation of a quantity over a folder."""

    quantity: str
    largest: float
    limit: float
    unit: str = ""

    @property
    def ok(self) -> bool:
        """Whether the deviation is within the limit; NaN is not."""
        return bool(self.largest <= self.limit)


def compare(golden: Golden) -> list[Deviation]:
    """The deviations of all quantities, each the largest over all images or classes."""
    worst: dict[str, Deviation] = {}
    for found in _deviations(golden):
        known = worst.get(found.quantity)
        if known is None or (known.ok, -known.largest) > (found.ok, -found.largest):
            worst[found.quantity] = found
    return list(worst.values())


@torch.inference_mode()
def _deviations(golden: Golden) -> Iterator[Deviation]:
    yield from _text_deviations(golden)
    first_three = torch.stack(
        [
            golden.backbone.encode_text(golden.manifest["descriptions"][name][:3])
            for name in golden.manifest["classes"]
        ]
    )
    yield Deviation(
        "text embeddings", _apart(first_three, golden.expected["text_embeddings_first3"]), EMBEDDING
    )
    for index in range(len(golden.images)):
        yield from _image_deviations(golden, index, first_three)


def _text_deviations(golden: Golden) -> Iterator[Deviation]:
    for name in golden.manifest["classes"]:
        for kind, texts in (
            ("descriptions", golden.manifest["descriptions"][name]),
            ("label", [LABEL_PROMPT.format(name)]),
        ):
            ours = golden.backbone.encode_text(texts)
            yield Deviation(
                "text embeddings", _apart(ours, golden.expected[f"text/{name}/{kind}"]), EMBEDDING
            )


def _image_deviations(golden: Golden, index: int, texts: torch.Tensor) -> Iterator[Deviation]:
    """Attention, top-k, boxes, pixels, embeddings, class scores and logits of one image."""
    manifest, of_image, rgb = golden.manifest, golden.manifest["images"][index], golden.images[index]
    expected = {
        key.partition("/")[2]: value for key, value in golden.expected.items() if key.startswith(f"{index}/")
    }
    pixels = PixelSource([rgb], golden.backbone.device)
    attention_grid = golden.attention.grid

    seen = pixels.whole(golden.attention.preprocessing)
    attention = golden.attention.cls_attention(seen)[0].numpy()
    yield Deviation("attention", _apart(attention, expected["attention"]), ATTENTION)
    yield from _topk_deviations(attention, expected, manifest)

    height, width = rgb.shape[:2]
    expected_boxes = np.array(of_image["raw_crop_boxes_xyxy"])
    patches = np.array(of_image["raw_crop_patches"])
    sizes = np.stack([of_image["raw_crop_widths"], of_image["raw_crop_heights"]], axis=1)
    whole_image = SeenImage(width, height, (0.0, 0.0, float(width), float(height)))
    boxes = raw_crop_boxes(patches, sizes, attention_grid, whole_image)
    yield Deviation("boxes", _apart(boxes, expected_boxes), 1, "px")

    whole = pixels.whole(golden.backbone.preprocessing)
    crops = pixels.views([0] * len(expected_boxes), expected_boxes, golden.backbone.preprocessing)
    for views, key in ((seen, "dino_pixels_mean"), (whole, "whole_pixels_mean"), (crops, "crop_pixels_mean")):
        means = views.mean(dim=(2, 3)).reshape(expected[key].shape)
        yield Deviation("crop pixels", _apart(means, expected[key]), 0)

    raw = golden.backbone.encode_image(crops)
    feature = _encode_feature_crops(golden, of_image, whole)
    yield Deviation("raw-crop embeddings", _apart(raw, expected["raw_crop_embeddings"]), EMBEDDING)
    yield Deviation(
        "feature-crop embeddings", _apart(feature, expected["feature_crop_embeddings"]), EMBEDDING
    )
    image = golden.backbone.encode_image(whole)[0]
    yield Deviation("image embedding", _apart(image, expected["image_embedding"]), EMBEDDING)

    views = torch.cat([feature, raw])
    members = padded_positions(torch.arange(len(texts)).repeat_interleave(texts.shape[1]), len(texts))
    temperature = manifest["temperature_matching"]
    matched = texts.flatten(0, 1), members, temperature, golden.backbone.logit_scale
    of_each_view = match_softly(views[:, None], *matched).scores
    together = match_softly(views[None], *matched).scores[0]
    yield Deviation(
        "class scores", _relative(of_each_view, expected["crop_class_scores"]), SCORE_RELATIVE, "relative"
    )
    yield Deviation("logits", _relative(together, expected["logits"]), SCORE_RELATIVE, "relative")


def _topk_deviations(
    attention: np.ndarray, expected: dict[str, np.ndarray], manifest: dict[str, object]
) -> Iterator[Deviation]:
    """The attention at each rank (patches of equal attention may swap), and the probabilities computed from it."""
    k, temperature = int(str(manifest["top_k"])), float(str(manifest["temperature_sampling"]))
    patches = attended_patches(attention, k, temperature).patches
    yield Deviation("top-k", _apart(expected["attention"][patches], expected["topk_values"]), ATTENTION)
    attended = attended_patches(expected["attention"], k, temperature)
    of_ranks = expected["attention"][expected["topk_indices"]]
    yield Deviation("top-k", _apart(expected["attention"][attended.patches], of_ranks), 0)
    yield Deviation(
        "top-k probabilities", _apart(attended.probabilities, expected["topk_probabilities"]), EMBEDDING
    )


def _encode_feature_crops(
    golden: Golden, of_image: dict[str, list[int]], whole: torch.Tensor
) -> torch.Tensor:
    block = golden.manifest["feature_crop_layer"]
    tower = golden.backbone.tower
    tokens = tower.run_blocks(tower.embed(whole), 0, block)
    patches, sides = (
        np.array(of_image["feature_crop_patches_14grid"]),
        np.array(of_image["feature_crop_sides"]),
    )
    cells = feature_crop_cells(patches, sides, golden.attention.grid, tower.grid)
    return tower.finish(crop_tokens(tokens, torch.zeros(len(cells), dtype=torch.int64), cells), block)


def _apart(ours: object, expected: np.ndarray) -> float:
    """The largest absolute difference; infinite if the shapes differ."""
    left = np.asarray(ours, dtype=np.float64)
    if left.shape != expected.shape:
        return float("inf")
    return float(np.abs(left - expected.astype(np.float64)).max(initial=0.0))


def _relative(ours: object, expected: np.ndarray) -> float:
    left = np.asarray(ours, dtype=np.float64)
    if left.shape != expected.shape:
        return float("inf")
    return float((np.abs(left - expected) / np.maximum(np.abs(expected), SCORE_FLOOR)).max(initial=0.0))
