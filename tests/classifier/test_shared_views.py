import numpy as np

from laketag.pipeline.classifier.method_names import find_methods
from laketag.pipeline.classifier.shared_views import CONTROL_GRID, SharedViews, choose_patches
from tests.classifier.evaluated import IDS, IMAGES, SETTINGS, all_methods, evaluated_models


def test_each_view_is_encoded_once_for_all_methods() -> None:
    views = SharedViews(evaluated_models(), IMAGES, IDS)
    for method in all_methods():
        first = views.of(method, 0)
        before = dict(views.seconds)
        assert views.of(method, 0).equal(first)
        assert views.seconds == before
    kinds = [part[0] for part in views.seconds]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "whole": 1,
        "squares": 1,
        "tokens": 1,
        "attention": 2,  # of the attention model and of the CLIP tower
        "features": 4,  # the two, and the two controls
        "raw": 4,
    }


def test_a_method_pays_for_all_that_its_views_are_made_from() -> None:
    views = SharedViews(evaluated_models(), IMAGES, IDS)
    both, raw = find_methods(["abs", "abs-raw"], SETTINGS)
    views.of(both, 0)
    of = views.seconds
    raw_parts = [("attention", "tiny"), ("raw", "tiny", "0")]
    assert views.seconds_of(raw, 0) == sum(of[part] for part in raw_parts)
    assert views.seconds_of(both, 0) == sum(of.values())


def test_the_controls_choose_patches_by_chance_for_each_image_and_seed() -> None:
    few = [choose_patches("id", seed, 20).patches.tolist() for seed in range(300)]
    assert all(len(set(patches)) == 20 for patches in few)
    assert few[0] != few[1] != choose_patches("other", 1, 20).patches.tolist()
    counts = np.bincount(np.concatenate(few), minlength=CONTROL_GRID**2)
    assert counts.min() > 10  # 30.6 expected of each patch
    assert counts.max() < 60
    everywhere = choose_patches("id", 0, CONTROL_GRID**2)
    assert sorted(everywhere.patches.tolist()) == list(range(CONTROL_GRID**2))
    assert set(everywhere.probabilities.tolist()) == {1 / CONTROL_GRID**2}
