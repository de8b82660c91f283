"""Whole classifiers against a plain loop, and with them ``methods`` and ``views``.

``spec`` is tested by test_choose_classifier.py and test_fingerprint.py.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.attention_model import AttentionModel
from tests.classifier import naive_abs
from tests.classifier.scenes import CLASS_OF, CLASSES, models, random_image, random_texts
from tests.models.tiny import CPU, HALF, Preprocessing, tiny_backbone, tiny_clip, tiny_config, tiny_vit

TOLERANCE = 1e-5
SIZES = [(40, 60), (1, 1), (1, 90), (200, 1), (13, 9), (56, 56), (97, 61), (5, 80)]
IMAGES = [random_image(width, height) for width, height in SIZES]
IDS = [f"image {number}" for number in range(len(SIZES))]


def classifier(
    method: MethodSettings, grid: int = 7, attention_grid: int | None = 14, views_per_pass: int = 64
) -> Classifier:
    encoders, _ = models(grid, attention_grid=attention_grid)
    return Classifier(encoders, random_texts(), method, views_per_pass=views_per_pass)


def assert_same(ours: list[ImageLabel], theirs: list[ImageLabel]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert (one.label, one.evidence_box_xyxy_px, one.evidence_description) == (
            (other.label, other.evidence_box_xyxy_px, other.evidence_description)
        )
        assert [name for name, _ in one.tags] == [name for name, _ in other.tags]
        assert [p for _, p in one.tags] == pytest.approx([p for _, p in other.tags], abs=TOLERANCE)
        assert one.probability == pytest.approx(other.probability, abs=TOLERANCE)
        assert (one.score, one.margin) == pytest.approx(
            (other.score, other.margin), rel=TOLERANCE, abs=TOLERANCE * 10
        )


@settings(max_examples=70, derandomize=True)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    grid=st.sampled_from([2, 7, 8]),
    attention_grid=st.sampled_from([None, 5, 14]),
    resize_mode=st.sampled_from(["shortest", "squash"]),
    raw_crops=st.booleans(),
    feature_crops=st.booleans(),
    soft_matching=st.booleans(),
    feature_block=st.sampled_from([None, 0, 1, 2]),
    crops=st.integers(1, 4),
    attended_patches=st.sampled_from([1, 5, 20, 196]),
    shares=st.sampled_from([(0.6, 0.9), (0.01, 0.02), (0.5, 0.5), (1.0, 1.0)]),
    seed=st.integers(0, 3),
)
def test_batched_code_and_a_plain_loop_agree(
    width: int,
    height: int,
    grid: int,
    attention_grid: int | None,
    resize_mode: str,
    shares: tuple[float, float],
    **method: object,
) -> None:
    settings_ = MethodSettings(min_side_fraction=shares[0], max_side_fraction=shares[1], tags=3, **method)  # type: ignore[arg-type]
    encoders, naive = models(grid, attention_grid=attention_grid, resize_mode=resize_mode)
    texts = random_texts()
    image = random_image(width, height)
    ours = Classifier(encoders, texts, settings_, views_per_pass=5).label([image], ["an id"])[0]
    expected = naive_abs.label_image(
        image, "an id", naive, texts.embeddings, list(CLASS_OF), len(CLASSES), settings_
    )
    assert ours.label == CLASSES[expected.label]
    assert ours.score == pytest.approx(expected.scores[expected.label], rel=1e-4, abs=1e-4)
    second = max(score for index, score in enumerate(expected.scores) if index != expected.label)
    assert ours.margin == pytest.approx(expected.scores[expected.label] - second, rel=1e-4, abs=2e-4)
    assert ours.probability == pytest.approx(expected.probabilities[expected.label], abs=1e-5)
    by_name = dict(zip(CLASSES, expected.probabilities, strict=True))
    assert [p for _, p in ours.tags] == pytest.approx(sorted(by_name.values(), reverse=True)[:3], abs=1e-5)
    assert [p for _, p in ours.tags] == pytest.approx([by_name[name] for name, _ in ours.tags], abs=1e-5)
    best = max(expected.evidence_contributions.values())
    near_best = {
        (expected.boxes[view], texts.descriptions[text])
        for (view, text), value in expected.evidence_contributions.items()
        if value >= best - 1e-4
    }
    assert (ours.evidence_box_xyxy_px, ours.evidence_description) in near_best


@pytest.mark.parametrize("attention_grid", [None, 14])
@pytest.mark.parametrize(("batch", "views_per_pass"), [(1, 256), (3, 3), (7, 17), (8, 256)])
def test_a_label_is_the_same_in_any_batch_order_and_pass(
    batch: int, views_per_pass: int, attention_grid: int | None
) -> None:
    method = MethodSettings(crops=4)
    reference = classifier(method, attention_grid=attention_grid).label(IMAGES, IDS)
    order = random.Random(batch).sample(range(len(IMAGES)), len(IMAGES))
    other = classifier(method, attention_grid=attention_grid, views_per_pass=views_per_pass)
    found: dict[int, ImageLabel] = {}
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        labels = other.label([IMAGES[index] for index in chosen], [IDS[index] for index in chosen])
        found |= dict(zip(chosen, labels, strict=True))
    assert_same([found[index] for index in range(len(IMAGES))], reference)


def test_another_id_or_seed_draws_other_crops() -> None:
    image, found = random_image(90, 70), set()
    for image_id, seed in (("a", 0), ("b", 0), ("a", 1)):
        found.add(classifier(MethodSettings(crops=2, seed=seed)).label([image], [image_id])[0].score)
    assert len(found) == 3


def test_threads_that_cut_crops_change_nothing() -> None:
    encoders, _ = models(7, attention_grid=14)
    method = MethodSettings(crops=4)
    alone, many = (
        Classifier(encoders, random_texts(), method, views_per_pass=32, threads=threads) for threads in (1, 4)
    )
    assert many.label(IMAGES, IDS) == alone.label(IMAGES, IDS)


def test_clip_looks_once_with_the_label_prompt_at_the_models_logit_scale() -> None:
    encoders, naive = models(7, attention_grid=None)
    texts = random_texts()
    image = random_image(80, 50)
    label = Classifier(encoders, texts, MethodSettings(name="clip"), views_per_pass=4).label([image], ["x"])[
        0
    ]
    view = naive_abs.plain_view(naive.clip, naive.clip_transform(naive_abs.Image.fromarray(image)))
    cosines = (texts.label_prompts @ view).numpy()
    shares = np.exp(encoders.backbone.logit_scale * (cosines - cosines.max()))
    assert label.label == CLASSES[cosines.argmax()]
    assert label.score == pytest.approx(cosines.max(), abs=1e-6)
    assert label.probability == pytest.approx(shares.max() / shares.sum(), abs=1e-5)
    assert label.evidence_description == f"a photo of a {label.label}."
    assert label.evidence_box_xyxy_px == (14, 0, 65, 50)


def test_equal_scores_go_to_the_first_class_and_equal_tags_stay_in_order() -> None:
    encoders, _ = models(7, attention_grid=None)
    texts = random_texts()
    same = texts.label_prompts[:1].expand(4, -1).contiguous()
    tied = replace(texts, label_prompts=same)
    label = Classifier(encoders, tied, MethodSettings(name="clip"), views_per_pass=4).label(
        [IMAGES[0]], ["x"]
    )[0]
    assert (label.label, label.margin) == (CLASSES[0], 0)
    assert label.tags == tuple((name, 0.25) for name in CLASSES)


def test_a_single_class_is_certain_and_has_no_margin() -> None:
    encoders, _ = models(7, attention_grid=14)
    texts = random_texts(class_of=(0, 0), classes=("cat",))
    label = Classifier(encoders, texts, MethodSettings(crops=2), views_per_pass=4).label([IMAGES[0]], ["x"])[
        0
    ]
    assert (label.label, label.margin) == ("cat", 0)
    assert label.probability == pytest.approx(1)
    assert label.probability <= 1


def test_a_very_long_picture_is_labelled_without_a_huge_resize() -> None:
    image = random_image(20_000, 10)
    label = classifier(MethodSettings(crops=2)).label([image], ["long"])[0]
    x0, y0, x1, y1 = label.evidence_box_xyxy_px
    assert 0 <= x0 < x1 <= 20_000
    assert 0 <= y0 < y1 <= 10


class BlindToTheThird(AttentionModel):
    """An attention model that gives NaN for one image of a batch."""

    def __init__(self) -> None:
        preprocessing = Preprocessing(56, "squash", "bilinear", HALF, HALF)
        super().__init__("tiny", tiny_vit(seed=1, image_px=56), preprocessing, CPU)

    def cls_attention(self, pixels: torch.Tensor) -> torch.Tensor:
        attention = super().cls_attention(pixels).clone()
        attention[2, 3] = torch.nan
        return attention


@pytest.mark.parametrize(("raw_crops", "feature_crops"), [(True, True), (True, False), (False, True)])
def test_an_image_whose_attention_is_nan_has_no_finite_label_and_its_neighbours_have_theirs(
    raw_crops: bool, feature_crops: bool
) -> None:
    encoders, _ = models(7, attention_grid=14)
    method = MethodSettings(crops=3, raw_crops=raw_crops, feature_crops=feature_crops)
    blind = replace(encoders, attention=BlindToTheThird())
    expected, found = (
        Classifier(each, random_texts(), method, views_per_pass=64).label(IMAGES, IDS)
        for each in (encoders, blind)
    )
    assert [label.is_finite for label in found] == [position != 2 for position in range(len(IMAGES))]
    assert found[:2] + found[3:] == expected[:2] + expected[3:]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["clip", "abs"])
def test_an_image_whose_embedding_is_not_finite_has_no_finite_label(name: str, value: float) -> None:
    """As of a tower whose activations overflow."""
    clip = tiny_clip(tiny_config())
    clip.visual.ln_post.register_forward_hook(
        lambda _layer, _inputs, out: out.index_fill(1, torch.tensor(0), value)
    )
    encoders = Encoders(tiny_backbone(clip=clip), None)
    method = MethodSettings(name=name, crops=2)  # type: ignore[arg-type]
    (label,) = Classifier(encoders, random_texts(), method, views_per_pass=64).label(IMAGES[:1], IDS[:1])
    assert not label.is_finite


def test_an_empty_batch_has_no_labels() -> None:
    assert classifier(MethodSettings(crops=1)).label([], []) == []


def test_a_block_that_the_tower_does_not_have_is_refused() -> None:
    with pytest.raises(ModelError, match="blocks 0 to 2"):
        classifier(MethodSettings(feature_block=3))
