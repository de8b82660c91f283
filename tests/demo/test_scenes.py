"""The drawn scenes keep what the training and the demo rely on."""

import json

import numpy as np
import pytest

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.scenes import LAYOUTS, Difficulty, Scene, draw_scene
from laketag.demo.training.captions import DESCRIPTIONS_PATH


def _draw_many(difficulty: Difficulty, count: int, width_px: int = 120, height_px: int = 90) -> list[Scene]:
    return [
        draw_scene((5, i), CLASS_NAMES[i % 16], difficulty, width_px=width_px, height_px=height_px)
        for i in range(count)
    ]


def test_there_are_sixteen_classes_and_each_has_descriptions() -> None:
    assert len(set(CLASS_NAMES)) == 16
    descriptions = json.loads(DESCRIPTIONS_PATH.read_text())
    assert tuple(descriptions) == CLASS_NAMES
    assert all(len(set(texts)) >= 5 for texts in descriptions.values())


def test_the_same_seed_draws_the_same_scene_and_another_seed_another() -> None:
    first, again, other = (
        draw_scene(seed, "star", "hard", width_px=90, height_px=130) for seed in ((1, 2), (1, 2), (1, 3))
    )
    assert first.picture.tobytes() == again.picture.tobytes()
    assert first.box_xyxy_px == again.box_xyxy_px
    assert first.picture.tobytes() != other.picture.tobytes()


@pytest.mark.parametrize("difficulty", ["easy", "mid", "hard"])
def test_the_box_lies_inside_the_picture_bounds_the_mask_and_has_the_difficultys_size(
    difficulty: Difficulty,
) -> None:
    layout = LAYOUTS[difficulty]
    for scene in _draw_many(difficulty, 160):
        x0, y0, x1, y1 = scene.box_xyxy_px
        assert 0 <= x0 < x1 <= scene.picture.width
        assert 0 <= y0 < y1 <= scene.picture.height
        size_fraction = max(x1 - x0, y1 - y0) / min(scene.picture.size)
        assert layout.min_size_fraction - 1e-9 <= size_fraction <= layout.max_size_fraction + 1e-9
        drawn = scene.mask.getbbox()
        assert drawn is not None
        assert np.allclose(drawn, scene.box_xyxy_px, atol=2.0)


def test_hard_objects_lie_off_centre() -> None:
    for scene in _draw_many("hard", 80):
        x0, y0, x1, y1 = scene.box_xyxy_px
        offsets = [
            2 * low / (side - (high - low)) - 1
            for low, high, side in ((x0, x1, scene.picture.width), (y0, y1, scene.picture.height))
        ]
        assert max(abs(offset) for offset in offsets) >= LAYOUTS["hard"].min_offset - 1e-6


def test_a_seeds_colours_ground_and_clutter_are_the_same_for_every_class() -> None:
    scenes = [draw_scene((7, 7), name, "easy", width_px=96, height_px=96) for name in CLASS_NAMES]
    assert len({scene.palette for scene in scenes}) == 1
    covered = np.any([np.asarray(scene.mask) for scene in scenes], axis=0)
    grounds = {np.where(covered[..., None], 0, np.asarray(scene.picture)).tobytes() for scene in scenes}
    assert len(grounds) == 1


def test_the_class_cannot_be_told_from_the_colours() -> None:
    scenes = _draw_many("easy", 3200, 24, 24)
    colours = np.array(
        [(*scene.palette.body, *scene.palette.detail, *scene.palette.ground) for scene in scenes]
    )
    classes = np.arange(len(scenes)) % 16
    half = len(scenes) // 2
    centres = np.stack([colours[:half][classes[:half] == label].mean(axis=0) for label in range(16)])
    distance = np.linalg.norm(colours[half:, None, :] - centres, axis=2)
    right = (distance.argmin(axis=1) == classes[half:]).mean()
    assert right < 1 / 16 + 4 * np.sqrt(1 / 16 * 15 / 16 / half)  # chance, give or take four standard errors


def test_the_object_stands_out_from_its_ground() -> None:
    for scene in _draw_many("easy", 80, 24, 24):
        assert np.linalg.norm(np.subtract(scene.palette.body, scene.palette.ground)) >= 110
