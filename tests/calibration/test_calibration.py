"""The name of a calibration is its content; its decisions are tested by test_fit.py."""

from dataclasses import replace

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.shares import ShareRule

CALIBRATION = Calibration(
    "photos",
    "f00d",
    (CalibratedClass("cat", 0.5, 1.0, 1.5), CalibratedClass("dog", 0.25, 2.0, None, "too few examples")),
    ShareRule("score", 1.0, 16),
    factor=0.5,
)


def test_equal_content_has_an_equal_name_and_any_change_another_one() -> None:
    cat, dog = CALIBRATION.classes
    changed = [
        CALIBRATION,
        replace(CALIBRATION, collection="more"),
        replace(CALIBRATION, classifier="beef"),
        replace(CALIBRATION, factor=0.25),
        replace(CALIBRATION, least_share=0.1),
        replace(CALIBRATION, classes=(dog, cat)),
        replace(CALIBRATION, classes=(replace(cat, threshold=1.25), dog)),
        replace(CALIBRATION, classes=(replace(cat, mean=0.75), dog)),
    ]
    assert len({one.content_hash for one in changed}) == len(changed)
    assert replace(CALIBRATION, factor=0.5).content_hash == CALIBRATION.content_hash
    assert CALIBRATION.refused == {"dog": "too few examples"}
