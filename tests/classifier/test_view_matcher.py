"""Labels from kept views are those of the classifier that kept them, to the last bit and in any group of images."""

import pytest
import torch

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.methods import Matcher
from laketag.pipeline.classifier.view_matcher import ViewMatcher
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.errors import InputError
from tests.benches import random_models
from tests.classifier.scenes import models, random_image, random_texts
from tests.models.tiny import CPU

IMAGES = [random_image(40 + number, 50) for number in range(7)]
IDS = [str(number) for number in range(len(IMAGES))]
METHODS = [
    MethodSettings(crops=5),
    MethodSettings(crops=5, soft_matching=False),
    MethodSettings(crops=5, feature_crops=False),
    MethodSettings(raw_crops=False, feature_crops=False),
    MethodSettings(name="clip"),
]


@pytest.mark.parametrize("method", METHODS)
def test_labels_from_kept_views_equal_those_from_pixels_exactly_in_any_group(method: MethodSettings) -> None:
    encoders, _ = models(7, attention_grid=14)
    texts = random_texts()
    looking = Classifier(encoders, texts, method, views_per_pass=64, keeps_views=True)
    plain = Classifier(encoders, texts, method, views_per_pass=64).label(IMAGES, IDS)
    labels = looking.label(IMAGES, IDS)
    assert labels == plain  # keeping changes nothing
    views = [label.views for label in labels]
    assert all(views)
    matcher = ViewMatcher(texts, method, encoders.backbone.logit_scale, CPU)
    for size in (1, 2, 7):
        found = [label for start in range(0, 7, size) for label in matcher.label(views[start : start + size])]
        assert found == plain
    assert matcher.label([]) == []


def test_clip_is_labelled_from_the_whole_image_that_abs_has_kept() -> None:
    encoders, _ = models(7, attention_grid=14)
    texts, clip = random_texts(), MethodSettings(name="clip")
    kept = Classifier(encoders, texts, MethodSettings(crops=5), views_per_pass=64, keeps_views=True)
    views = [label.views for label in kept.label(IMAGES, IDS)]
    found = ViewMatcher(texts, clip, encoders.backbone.logit_scale, CPU).label(views)
    assert found == Classifier(encoders, texts, clip, views_per_pass=64).label(IMAGES, IDS)


def test_texts_of_other_dimensions_are_refused() -> None:
    encoders, _ = models(7, attention_grid=14)
    method = MethodSettings(crops=2)
    kept = Classifier(encoders, random_texts(), method, views_per_pass=64, keeps_views=True)
    views = [label.views for label in kept.label(IMAGES[:1], IDS[:1])]
    with pytest.raises(InputError, match="dimensions"):
        ViewMatcher(random_models.random_texts(3, 2, 16), method, 100.0, CPU).label(views)


@pytest.mark.parametrize("views", [1, 2, 7, 32, 100, 300])
@pytest.mark.parametrize("soft", [True, False])
def test_the_scores_of_an_image_do_not_depend_on_the_images_beside_it(views: int, soft: bool) -> None:
    """Matrices of fewer rows are multiplied in other ways, and groups of other sizes are summed in another order."""
    texts = random_models.random_texts(90, 60, 64)
    matcher = Matcher(texts, MethodSettings(soft_matching=soft), 100.0, CPU)
    images = torch.nn.functional.normalize(
        torch.randn(70 if views == 1 else 9, views, 64, generator=torch.Generator().manual_seed(0)), dim=-1
    )

    def scores(part: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.cat([one.scores, one.probabilities], dim=1) for one in matcher.match(part)])

    together = scores(images)
    for first, last in ((0, 1), (3, 5), (4, 9)):
        assert torch.equal(scores(images[first:last]), together[first:last])
