"""One row out for each image in, with the scores of all classes."""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import ModelError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.stages.score_images import SCORED, ScoreImages
from tests.lake.pets import write_pets
from tests.stages.test_label_images import decoded


class Scorer:
    """A classifier that needs no model: red pictures have the scores 2 and 1, blue ones give no number."""

    share_rule = ShareRule("score", 1.0, 4)

    def label(self, images: Sequence[np.ndarray], image_ids: Sequence[str]) -> list[ImageLabel]:
        assert len(images) == len(image_ids)
        return [
            ImageLabel(
                tags=(("dog", 0.75), ("cat", 0.25)),
                score=2.0 if image[0, 0, 0] else math.nan,
                margin=1.0,
                evidence_box_xyxy_px=(0, 0, 1, 1),
                evidence_description="",
                scores=np.array([2.0, 1.0], np.float32),
                probabilities=np.array([0.75, 0.25]),
            )
            for image in images
        ]


@dataclass(frozen=True)
class Spec:
    """A ClassifierSpec without models."""

    descriptions: EmbeddedSet

    def load(self, _texts: ClassTexts, **_where: object) -> Scorer:
        return Scorer()


def test_every_image_has_its_scores_or_its_failure(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    spec = pickle.dumps(Spec(write_pets(lake, "a" * 16)))
    actor = ScoreImages(lake=lake, pickled_spec=spec, device="cpu", threads=1)
    table = actor(decoded(("a", "red"), ("b", None), ("c", "blue")))
    assert table.schema == SCORED
    nothing = {"scores": None, "probabilities": None, "rule": None}
    assert table.to_pylist() == [
        {
            "image_id": "a",
            "failure": None,
            "scores": [2.0, 1.0],
            "probabilities": [0.75, 0.25],
            "rule": {"kind": "score", "exponent": 1.0, "views": 4},
        },
        {"image_id": "b", "failure": "timeout"} | nothing,
        {"image_id": "c", "failure": "not_finite"} | nothing,
    ]
    assert actor(decoded(("b", None))).num_rows == 1


def test_what_cannot_be_loaded_is_raised_by_the_call(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    actor = ScoreImages(lake=lake, pickled_spec=b"cno_such_package\nSpec\n.", device="cpu", threads=1)
    with pytest.raises(ModelError, match="no_such_package"):
        actor(decoded(("a", "red")))
