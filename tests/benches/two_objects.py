"""``python -m tests.benches.two_objects``: which of two objects in a picture are accepted, where each class is judged alone."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from laketag.demo.lake import write_demo_images
from laketag.demo.objects import CLASS_NAMES
from laketag.demo.scenes import draw_scene
from laketag.pipeline.calibration.standard_scores import fit_statistics, standard_scores
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.settings_file import read_settings
from tests.benches.budgets import DEMO, SETTINGS, demo_texts

SAMPLE, PICTURES, SIDE_PX = 400, 200, 240
SEED_SPACE = 15
"""First number of the seeds of these scenes; those of the demo, of training and of tests have other numbers."""
THRESHOLDS = (1.0, 1.5, 2.0, 2.5)


def draw_pairs() -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures of two easy scenes side by side, half of them to fit to, and the numbers of their two classes, which differ."""
    rng = np.random.default_rng(SEED_SPACE)
    pictures, classes = [], []
    for number in range(2 * PICTURES):
        pair = rng.choice(len(CLASS_NAMES), 2, replace=False)
        halves = [
            draw_scene(
                (SEED_SPACE, number, side), CLASS_NAMES[name], "easy", width_px=SIDE_PX, height_px=SIDE_PX
            ).picture
            for side, name in enumerate(pair)
        ]
        pictures.append(np.concatenate([np.asarray(half.convert("RGB")) for half in halves], axis=1))
        classes.append(pair)
    return pictures, np.array(classes)


def draw_sample() -> list[np.ndarray]:
    """Pictures of one object as in the demo."""
    with TemporaryDirectory() as folder:
        drawn = [one for one in write_demo_images(Path(folder), count=SAMPLE) if one.fault is None]
        return [np.asarray(Image.open(one.path).convert("RGB")) for one in drawn]


@torch.inference_mode()
def main() -> None:
    """Print a line of a Markdown table for each method, standardisation and threshold."""
    torch.set_num_threads(1)
    sample, (pictures, every_class) = draw_sample(), draw_pairs()
    classes = every_class[PICTURES:]
    truth = np.zeros((PICTURES, len(CLASS_NAMES)), bool)
    for name in ("abs", "clip"):
        settings = read_settings(
            SETTINGS, [f"method.name={name}", f"backbone.pretrained=local-dir:{DEMO / 'model'}"]
        )
        spec = BackboneSpec(settings.backbone, settings.storage).with_architecture().resolved()
        encoders = Encoders(spec.load("cpu"), None)
        texts = demo_texts(encoders)
        places = [texts.class_names.index(one) for one in CLASS_NAMES]
        images = np.arange(PICTURES)[:, None]
        truth[:] = False
        truth[images, np.array(places)[classes]] = True
        classifier = Classifier(encoders, texts, settings.method, views_per_pass=256, threads=1)
        scores, shares = _score(classifier, pictures)
        fitted_to = {"one object": _score(classifier, sample)[0], "two objects": scores[:PICTURES]}
        scores, shares = scores[PICTURES:], shares[PICTURES:]
        found = truth[images, np.argsort(-shares, axis=1)[:, :2]]
        print(
            f"{name}: the best class is one of both objects in {found[:, 0].mean():.1%}, the two best are both in "
            f"{found.all(axis=1).mean():.1%}"
        )
        for what, of_sample in fitted_to.items():
            for within_image in (False, True):
                alone = standard_scores(scores, fit_statistics(of_sample, within_image=within_image))
                for threshold in THRESHOLDS:
                    accepted = alone > threshold
                    right = accepted & truth
                    cells = (
                        f"`{name}`",
                        what,
                        f"`{'image' if within_image else 'class'}`",
                        f"{threshold}",
                        f"{accepted.sum(axis=1).mean():.1f}",
                        f"{right.sum() / max(1, accepted.sum()):.0%}",
                        f"{right.sum() / truth.sum():.0%}",
                        f"{(right.sum(axis=1) == 2).mean():.0%}",
                        f"{(~accepted.any(axis=1)).mean():.0%}",
                    )
                    print(f"| {' | '.join(cells)} |")


def _score(classifier: Classifier, pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    labels = [
        label
        for start in range(0, len(pictures), 8)
        for label in classifier.label(
            pictures[start : start + 8],
            [f"{number}" for number in range(start, min(start + 8, len(pictures)))],
        )
    ]
    return np.stack([one.scores for one in labels]), np.stack([one.probabilities for one in labels])


if __name__ == "__main__":
    main()
