"""Calibrations and calibrated label rows for tests that need a lake but no model."""

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.shares import ShareRule
from tests.lake.label_rows import label_row

CALIBRATION = Calibration(
    "photos",
    "f00d",
    (
        CalibratedClass("cat", 0.5, 1.0, 1.5, None, 30, 0.95, 0.9, 0.99),
        CalibratedClass("dog", 0.25, 2.0, None, "3 of the at least 49 examples that precision 0.9 needs"),
        CalibratedClass("other", -0.75, 0.5, 2.0),
    ),
    ShareRule("score", 1.0, 16),
    factor=0.1 + 0.2,
    least_share=1 / 3,
    coverage=0.9,
)


def calibrated_row(image_id: str, accepted: dict[str, float], **changes: object) -> dict[str, object]:
    """One row of schemas.Labels with these accepted classes and their standard scores; its tags are cat and other."""
    return label_row(image_id, **changes) | {  # type: ignore[arg-type]  # as of label_row
        "calibrated_probability": 0.5,
        "tag_scores": [2.5, -0.5],
        "accepted": [{"label": name, "score": score} for name, score in accepted.items()],
        "abstained": not accepted,
        "conformal_set": ["cat"],
    }
