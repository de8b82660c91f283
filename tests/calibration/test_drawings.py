"""What a calibration promises holds on pictures of the demo that it was not fitted to."""

import numpy as np
import pytest
import torch
from PIL import Image

from laketag.demo.lake import write_demo_images
from laketag.pipeline.calibration.calibration import Calibration
from laketag.pipeline.calibration.fit import Sample, Wanted, fit_calibration
from laketag.pipeline.calibration.thresholds import Promise, clopper_pearson
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.settings_file import read_settings
from tests.benches.budgets import DEMO, SETTINGS, demo_texts

PICTURES = 320
COVERAGE, PRECISION = 0.9, 0.5
ERROR = 1e-4
"""Of the bounds of what is measured: the pictures are always the same, so a test that passes passes again."""


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, Sample]:
    """Scores of ABS with few crops, which is right about half of the pictures: one half to fit to, one to measure."""
    settings = read_settings(SETTINGS, ["method.crops=4", f"backbone.pretrained=local-dir:{DEMO / 'model'}"])
    encoders = Encoders(
        BackboneSpec(settings.backbone, settings.storage).with_architecture().resolved().load("cpu"), None
    )
    drawn = [
        one
        for one in write_demo_images(tmp_path_factory.mktemp("drawn"), count=PICTURES)
        if one.fault is None
    ]
    with torch.inference_mode():
        texts = demo_texts(encoders)
        classifier = Classifier(encoders, texts, settings.method, views_per_pass=256, threads=1)
        pictures = [np.asarray(Image.open(one.path).convert("RGB")) for one in drawn]
        labels = classifier.label(pictures, [one.path.name for one in drawn])
    scores, probabilities = (
        np.stack([getattr(one, name) for one in labels]) for name in ("scores", "probabilities")
    )
    truth = np.array([texts.class_names.index(one.class_name) for one in drawn])
    order = np.random.default_rng(0).permutation(PICTURES)
    one, other = (
        Sample(texts.class_names, scores[part], probabilities[part], classifier.share_rule, truth[part])
        for part in np.split(order, 2)
    )
    return one, other


def decide(calibration: Calibration, sample: Sample) -> list[dict]:
    names = [[sample.class_names[number]] for number in sample.scores.argmax(axis=1)]
    return calibration.decide(sample.scores, sample.probabilities, names)


def test_conformal_sets_contain_the_true_class_as_often_as_promised(halves: tuple[Sample, Sample]) -> None:
    fitted, held_out = halves
    calibration, _ = fit_calibration(fitted, Wanted(coverage=COVERAGE), ("drawings", "f00d"))
    sets = [row["conformal_set"] for row in decide(calibration, held_out)]
    covered = sum(
        held_out.class_names[number] in of_image
        for of_image, number in zip(sets, held_out.true_class, strict=True)
    )
    low, high = clopper_pearson(covered, len(sets), ERROR)
    assert low < COVERAGE < high
    assert np.mean([len(of_image) for of_image in sets]) < 0.75 * len(held_out.class_names), (
        "and they say something"
    )


def test_what_is_accepted_is_right_as_often_as_promised(halves: tuple[Sample, Sample]) -> None:
    fitted, held_out = halves
    calibration, _ = fit_calibration(
        fitted, Wanted(precision=Promise(PRECISION), within_image=False), ("drawings", "f00d")
    )
    right = [
        tag["label"] == held_out.class_names[number]
        for row, number in zip(decide(calibration, held_out), held_out.true_class, strict=True)
        for tag in row["accepted"]
    ]
    assert len(right) > 10
    assert clopper_pearson(sum(right), len(right), ERROR)[1] >= PRECISION
    every = held_out.scores.argmax(axis=1) == held_out.true_class
    assert np.mean(right) > np.mean(every), "abstaining helps"
