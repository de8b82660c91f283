import numpy as np

from laketag.pipeline.classifier.square_crops import draw_square_crops


def test_crops_are_squares_of_half_to_nine_tenths_of_the_shorter_side_anywhere_in_the_image() -> None:
    boxes = draw_square_crops(("id", 0), (200, 100), 4000, 0.5)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides[:, 0] == sides[:, 1]).all()
    assert set(sides[:, 0].tolist()) == set(range(50, 90))
    assert abs(sides[:, 0].mean() - 69.5) < 1
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= (200, 100)).all()
    assert boxes[:, 2].max() == 200
    assert boxes[:, 3].max() == 100
    assert abs(boxes[:, 0].mean() - (200 - 69.5) / 2) < 3


def test_crops_depend_on_image_and_seed_alone_and_more_of_them_begin_alike() -> None:
    boxes = draw_square_crops(("id", 1), (64, 48), 20, 0.5)
    assert np.array_equal(draw_square_crops(("id", 1), (64, 48), 9, 0.5), boxes[:9])
    assert not np.array_equal(draw_square_crops(("id", 2), (64, 48), 20, 0.5), boxes)
    assert not np.array_equal(draw_square_crops(("other", 1), (64, 48), 20, 0.5), boxes)


def test_the_smallest_image_has_crops_of_one_pixel() -> None:
    assert draw_square_crops(("id", 0), (1, 3), 5, 0.5)[:, 2:].min() == 1
    assert (draw_square_crops(("id", 0), (1, 3), 50, 0.5)[:, 2] == 1).all()
