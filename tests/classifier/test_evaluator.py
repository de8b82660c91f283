"""Trials on tiny models: they agree with what label writes, and with themselves in any company."""

from dataclasses import replace

import pytest
import torch

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.evaluator import Outcome, Trial
from laketag.pipeline.classifier.method_names import find_methods
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.attention_model import AttentionModel
from tests.classifier.evaluated import (
    IDS,
    IMAGES,
    SETTINGS,
    TRUE,
    all_methods,
    evaluated_models,
    evaluator,
    trials,
)
from tests.classifier.scenes import CLASSES, models, random_texts
from tests.models.tiny import CPU, HALF, Preprocessing, tiny_vit


def bare(outcomes: list[Outcome]) -> list[tuple[tuple[int, ...], float, int]]:
    return [(one.top, round(one.probability, 5), one.true_rank) for one in outcomes]


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("clip", {"name": "clip"}),
        ("abs", {}),
        ("abs-raw", {"feature_crops": False}),
        ("abs-features", {"raw_crops": False}),
        ("abs-plain", {"soft_matching": False}),
        ("abs-cascade@0.8", {"budget": "cascade", "cascade_lead": 0.8}),
        ("abs-adaptive@0.999", {"budget": "adaptive", "adaptive_confidence": 0.999}),
        ("abs-adaptive@1", {"budget": "adaptive", "adaptive_confidence": 1.0}),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_trials_give_the_labels_that_label_writes(name: str, method: dict[str, object], seed: int) -> None:
    encoders, _ = models(7, attention_grid=14)
    settings = MethodSettings.model_validate(SETTINGS.method.model_dump() | method | {"seed": seed})
    labels = Classifier(encoders, random_texts(0), settings, views_per_pass=256).label(IMAGES, IDS)
    (chosen,) = find_methods([name], SETTINGS)
    found = evaluator([chosen]).evaluate(IMAGES, IDS, TRUE, [Trial(chosen, seed)])
    for label, (outcome,) in zip(labels, found, strict=True):
        assert tuple(CLASSES[index] for index in outcome.top) == tuple(tag for tag, _ in label.tags)
        assert outcome.probability == pytest.approx(label.probability, abs=1e-5)
        assert outcome.fraction == (label.crops / 6 if "budget" in method else 1)


def test_all_trials_together_say_what_each_says_alone_and_of_one_image_at_once() -> None:
    methods = all_methods()
    one = evaluator(methods)
    together = one.evaluate(IMAGES, IDS, TRUE, trials(methods))
    assert all(outcome.is_finite and outcome.seconds > 0 for of_image in together for outcome in of_image)
    for number, trial in enumerate(trials(methods)):
        alone = one.evaluate(IMAGES[1:2], IDS[1:2], TRUE[1:2], [trial])
        assert bare(alone[0]) == bare([together[1][number]]), trial


def test_seeds_draw_other_crops_for_the_methods_that_draw() -> None:
    methods = all_methods()
    found = evaluator(methods).evaluate(IMAGES, IDS, TRUE, trials(methods))
    by_trial = {
        (trial.method.name, trial.seed): [of_image[number].probability for of_image in found]
        for number, trial in enumerate(trials(methods))
    }
    assert {name for name, seed in by_trial if seed == 1} == {one.name for one in methods if one.varies}
    for name in {name for name, seed in by_trial if seed == 1}:
        assert by_trial[name, 0] != by_trial[name, 1], name


def test_the_true_rank_is_the_place_of_the_true_class() -> None:
    methods = find_methods(["clip"], SETTINGS)
    found = [
        evaluator(methods).evaluate(IMAGES[:1], IDS[:1], [true], trials(methods))[0][0] for true in range(4)
    ]
    assert [one.top[one.true_rank - 1] for one in found] == [0, 1, 2, 3]


class BlindToTheSecond(AttentionModel):
    """An attention model that gives NaN for the second image of a batch."""

    def __init__(self) -> None:
        preprocessing = Preprocessing(56, "squash", "bilinear", HALF, HALF)
        super().__init__("tiny", tiny_vit(seed=1, image_px=56), preprocessing, CPU)

    def cls_attention(self, pixels: torch.Tensor) -> torch.Tensor:
        attention = super().cls_attention(pixels).clone()
        attention[1:2] = torch.nan
        return attention


def test_an_image_whose_scores_are_no_numbers_is_told_and_harms_no_other() -> None:
    methods = find_methods(["clip", "abs", "abs-trim", "abs-mode"], SETTINGS)
    blind = evaluator(methods, replace(evaluated_models(), attention={"tiny": BlindToTheSecond()}))
    found = blind.evaluate(IMAGES, IDS, TRUE, trials(methods, [0]))
    assert [[outcome.is_finite for outcome in of_image] for of_image in found] == [
        [True, True, True, True],
        [True, False, False, False],
        [True, True, True, True],
    ]
