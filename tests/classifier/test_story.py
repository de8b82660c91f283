"""Stories against the same plain loop as labels."""

import numpy as np
import pytest

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.config import MethodSettings
from tests.classifier import naive_abs
from tests.classifier.scenes import CLASS_OF, CLASSES, models, random_image, random_texts


@pytest.mark.parametrize("attention_grid", [None, 14])
@pytest.mark.parametrize(("raw_crops", "feature_crops"), [(True, True), (True, False), (False, True)])
def test_a_story_has_the_crops_of_the_label_and_the_text_that_each_is_most_like(
    raw_crops: bool, feature_crops: bool, attention_grid: int | None
) -> None:
    method = MethodSettings(crops=4, tags=3, raw_crops=raw_crops, feature_crops=feature_crops)
    encoders, naive = models(7, attention_grid=attention_grid)
    texts, image = random_texts(), random_image(90, 61)
    classifier = Classifier(encoders, texts, method, views_per_pass=64)
    story = classifier.tell_story(image, "an id")
    expected = naive_abs.label_image(
        image, "an id", naive, texts.embeddings, list(CLASS_OF), len(CLASSES), method
    )
    assert story.label == classifier.label([image], ["an id"])[0]
    assert [view.box_xyxy_px for view in story.views] == expected.boxes
    for view, embedding in zip(story.views, expected.views, strict=True):
        cosines = [float(text @ embedding) for text in texts.embeddings]
        assert view.cosine == pytest.approx(max(cosines), abs=1e-5)
        assert cosines[texts.descriptions.index(view.text)] == pytest.approx(max(cosines), abs=1e-5)
        assert view.text.startswith(f"{view.class_name}, ")
    assert story.scores == pytest.approx(expected.scores, rel=1e-4, abs=1e-4)
    assert story.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    assert story.feature_crops == (4 if feature_crops else 0)
    assert story.attention is not None
    side = attention_grid or 7
    assert story.attention.shape == (side, side)
    seen = (
        (0, 0, 90, 61) if attention_grid else (14.5, 0, 75.5, 61)
    )  # the tower's centre crop, to a pixel of its input
    assert story.attended_xyxy_px == pytest.approx(seen, abs=0.5)


def test_a_method_without_crops_tells_of_the_whole_image_and_of_label_prompts() -> None:
    encoders, _ = models(7, attention_grid=None)
    classifier = Classifier(encoders, random_texts(), MethodSettings(name="clip"), views_per_pass=4)
    image = random_image(80, 50)
    story = classifier.tell_story(image, "x")
    assert story.label == classifier.label([image], ["x"])[0]
    (view,) = story.views
    assert (view.class_name, view.text) == (story.label.label, f"a photo of a {story.label.label}.")
    assert story.attention is None
    assert np.argmax(story.scores) == CLASSES.index(story.label.label)
