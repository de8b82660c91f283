"""Budgets on tiny models: which crops are encoded, which labels come out, and that full ABS is what they end in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from laketag.pipeline.classifier.budgets import lead_of
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import MethodSettings
from tests.classifier.scenes import models, random_image, random_texts
from tests.models.tiny import tiny_backbone, tiny_clip, tiny_config

CROPS = 12
SIZES = [(40, 60), (1, 1), (1, 90), (200, 1), (13, 9), (56, 56), (97, 61), (5, 80)]
IMAGES = [random_image(width, height) for width, height in SIZES]
IDS = [f"image {number}" for number in range(len(SIZES))]
KINDS = [(True, True), (True, False), (False, True)]


def method(**changes: object) -> MethodSettings:
    return MethodSettings.model_validate({"crops": CROPS} | changes)


def label(settings: MethodSettings, views_per_pass: int = 64) -> list[ImageLabel]:
    encoders, _ = models(7, attention_grid=14)
    return Classifier(encoders, random_texts(), settings, views_per_pass=views_per_pass).label(IMAGES, IDS)


def rounded(labels: list[ImageLabel]) -> list[object]:
    """The labels, where rounding of the tower cannot matter."""
    return [
        (one.label, one.tier, one.crops, one.evidence_box_xyxy_px, pytest.approx(one.score, rel=1e-4))
        for one in labels
    ]


@pytest.mark.parametrize(
    ("raw_crops", "feature_crops", "soft_matching"), [(True, True, True), (False, True, False)]
)
@pytest.mark.parametrize(
    "budget",
    [{"budget": "cascade", "cascade_lead": 1.0}, {"budget": "adaptive", "round_crops": 1000}],
    ids=str,
)
def test_a_budget_that_never_stops_gives_the_labels_of_all_crops_bit_for_bit(
    budget: dict[str, object], soft_matching: bool, raw_crops: bool, feature_crops: bool
) -> None:
    common = {
        "soft_matching": soft_matching,
        "raw_crops": raw_crops,
        "feature_crops": feature_crops,
    }
    full = label(method(**common))
    assert label(method(**common, **budget)) == full
    assert {(one.tier, one.crops) for one in full} == {("full", CROPS * (raw_crops + feature_crops))}


@pytest.mark.parametrize("soft_matching", [True, False])
def test_rounds_that_stop_only_what_is_certain_change_no_label_and_end_in_all_crops(
    soft_matching: bool,
) -> None:
    full = label(method(soft_matching=soft_matching))
    found = label(
        method(soft_matching=soft_matching, budget="adaptive", adaptive_confidence=1, round_crops=5)
    )
    assert [one.label for one in found] == [one.label for one in full]
    whole = [place for place, one in enumerate(found) if one.tier == "full"]
    assert whole, "random models have small leads"
    assert rounded([found[place] for place in whole]) == rounded([full[place] for place in whole])


@contextmanager
def counted_views(clip: torch.nn.Module) -> Iterator[list[int]]:
    """The number of views of each pass that ends in an embedding."""
    passes: list[int] = []
    hook = clip.visual.ln_post.register_forward_hook(  # type: ignore[union-attr]  # a module
        lambda _layer, inputs, _out: passes.append(len(inputs[0]))
    )
    yield passes
    hook.remove()


def counting_classifier(settings: MethodSettings, views_per_pass: int) -> tuple[Classifier, torch.nn.Module]:
    encoders, _ = models(7, attention_grid=14)
    clip = tiny_clip(tiny_config())
    own = Encoders(tiny_backbone(clip=clip), encoders.attention)
    return Classifier(own, random_texts(), settings, views_per_pass=views_per_pass), clip


@pytest.mark.parametrize(("raw_crops", "feature_crops"), KINDS)
@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"budget": "cascade", "cascade_lead": 0.5},
        {"budget": "adaptive", "adaptive_confidence": 0.6, "round_crops": 3},
    ],
    ids=str,
)
def test_a_label_names_the_crops_that_were_encoded_for_it(
    budget: dict[str, object], raw_crops: bool, feature_crops: bool
) -> None:
    settings = method(raw_crops=raw_crops, feature_crops=feature_crops, **budget)
    classifier, clip = counting_classifier(settings, 64)
    with counted_views(clip) as passes:
        labels = classifier.label(IMAGES, IDS)
    whole_images = len(IMAGES) if settings.budget == "cascade" else 0
    assert sum(passes) == whole_images + sum(one.crops for one in labels)
    tiers = {one.tier for one in labels}
    assert (
        tiers
        <= {"full": {"full"}, "cascade": {"cheap", "full"}, "adaptive": {"early", "full"}}[settings.budget]
    )
    assert all((one.crops < CROPS * (raw_crops + feature_crops)) == (one.tier != "full") for one in labels)


def test_the_crops_of_the_images_that_are_left_fill_the_passes_together() -> None:
    settings = method(feature_crops=False, budget="adaptive", adaptive_confidence=0.99, round_crops=3)
    classifier, clip = counting_classifier(settings, 8)
    with counted_views(clip) as passes:
        labels = classifier.label(IMAGES, IDS)
    used = np.array([one.crops for one in labels])
    left = [int((used > start).sum()) for start in range(0, CROPS, 3)]
    assert len(set(left)) > 2, "images leave after different rounds"
    assert passes == [min(8, 3 * images - begun) for images in left for begun in range(0, 3 * images, 8)]


def test_an_early_label_is_the_same_in_any_batch() -> None:
    settings = method(budget="adaptive", adaptive_confidence=0.999, round_crops=2)
    together = label(settings, views_per_pass=7)
    encoders, _ = models(7, attention_grid=14)
    alone = Classifier(encoders, random_texts(), settings, views_per_pass=64)
    assert len({one.crops for one in together}) > 1
    found = [alone.label([image], [image_id])[0] for image, image_id in zip(IMAGES, IDS, strict=True)]
    assert rounded(found) == rounded(together)


def test_an_early_label_is_that_of_its_crops_and_its_score_is_of_the_size_of_all_crops() -> None:
    found = label(method(budget="adaptive", adaptive_confidence=0.6, round_crops=2))
    early = [place for place, one in enumerate(found) if one.tier == "early"]
    assert early
    for place in early:
        crops = found[place].crops // 2
        (few,) = [one for number, one in enumerate(label(method(crops=crops))) if number == place]
        expected = replace(
            few, tier="early", score=few.score * CROPS / crops, margin=few.margin * CROPS / crops
        )
        assert rounded([found[place]]) == rounded([expected])


def test_a_cascade_keeps_the_label_of_the_whole_image_where_it_leads_by_more() -> None:
    clip, full = label(MethodSettings(name="clip")), label(method())
    leads = [one.tags[0][1] - one.tags[1][1] for one in clip]
    lead = sorted(leads)[len(leads) // 2]
    found = label(method(budget="cascade", cascade_lead=lead))
    assert rounded(found) == rounded(
        [
            replace(cheap, tier="cheap") if leads[place] > lead else full[place]
            for place, cheap in enumerate(clip)
        ]
    )
    assert len({one.tier for one in found}) == 2


def test_a_single_class_leads_by_its_whole_probability() -> None:
    assert lead_of(torch.tensor([[1.0]], dtype=torch.float64)).tolist() == [1.0]
    assert lead_of(torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)).tolist() == pytest.approx([0.2])
