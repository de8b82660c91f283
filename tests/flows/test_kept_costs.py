"""What keeping costs is said in bytes, and scores that fp16 cannot hold are refused before a run."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.config import MethodSettings, RunSettings, Settings, StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.kept_costs import check_scores, format_bytes, say_kept_costs
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.screen import Screen
from tests.lake.pets import write_pets


def test_the_bytes_of_an_image_of_a_million_and_of_the_run_are_printed(tmp_path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    pets = write_pets(lake, "a" * 16)
    console = Console(file=io.StringIO(), width=300)
    crops = {"raw_crops": True, "feature_crops": True, "crops": 50}
    decided_by = dict.fromkeys(("decode", "decode_revision", "label_revision")) | {
        "backbone": {"architecture": '{"embed_dim": 512}'},
        "attention": {"name": "backbone"},
        "method": {"name": "abs"} | crops,
    }
    classifier = ChosenClassifier("f", pets.name, pets.version, "abs", {}, decided_by, b"")
    whole = replace(classifier, decided_by=decided_by | {"attention": None, "method": {"name": "clip"}})
    for keep, chosen in (
        ((), classifier),
        (("scores", "embeddings"), classifier),
        (("embeddings=int8",), whole),
    ):
        settings = Settings(run=RunSettings(keep=keep))
        say_kept_costs(lake, chosen, settings, 2000, Screen(console))
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]  # a StringIO
        "keeps the scores of 2 classes: 104 bytes an image, 104 MB a million images, 208 kB for the 2,000 of this run",
        "keeps the embeddings of the image and 100 crops (512 numbers each), in fp16: 104 kB an image, 104 GB a million images, "
        "208 MB for the 2,000 of this run",
        "keeps the embeddings of the image (512 numbers each), in int8: 621 bytes an image, 621 MB a million images, 1.2 MB "
        "for the 2,000 of this run",
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (2100, "2.1 kB"), (103424, "103 kB")]
)
def test_bytes_are_written_as_people_do(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_scores_that_fp16_cannot_hold_are_refused_with_the_way_out() -> None:
    check_scores(MethodSettings(crops=900))
    check_scores(MethodSettings(crops=1000, soft_matching=False))
    with pytest.raises(
        SettingsError, match=r"2,000 crops at method.matching_temperature 0.03 can score 66,667; take fewer"
    ):
        check_scores(MethodSettings(crops=1000))
