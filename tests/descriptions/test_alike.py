import numpy as np

from laketag.pipeline.descriptions.alike import find_alike_classes


def unit(*angles_degrees: float) -> np.ndarray:
    radians = np.radians(angles_degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def find(prompts: list[float], texts: list[float], classes: list[int]) -> list[tuple[int, ...]]:
    """Groups at a cosine of 0.99, an angle of 8 degrees."""
    return find_alike_classes(unit(*prompts), unit(*texts), np.array(classes), 0.99)


def test_classes_with_nearly_equal_label_prompts_are_joined() -> None:
    assert find([0, 50, 5, 90], [0, 50, 140, 90], [0, 1, 2, 3]) == [(0, 2)]


def test_nearness_joins_in_chains_and_groups_are_apart() -> None:
    assert find([0, 90, 6, 12, 95], [0, 30, 60, 120, 150], [0, 1, 2, 3, 4]) == [(0, 2, 3), (1, 4)]


def test_classes_whose_descriptions_are_all_nearly_equal_are_joined() -> None:
    assert find([0, 90], [10, 40, 41, 12], [0, 0, 1, 1]) == [(0, 1)]


def test_classes_with_one_description_of_their_own_are_not_joined() -> None:
    assert find([0, 90], [10, 40, 41, 12, 70], [0, 0, 1, 1, 1]) == []


def test_classes_with_the_same_mean_and_other_descriptions_are_not_joined() -> None:
    assert find([0, 90], [10, 50, 20, 40], [0, 0, 1, 1]) == []
