"""The driver knows its classifier without the libraries that compute with it."""

import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.config import BackboneSettings, Settings
from pipeline.errors import InputError, ModelError
from pipeline.flows.choose_classifier import choose_classifier, choose_in_child, find_classifier
from pipeline.lake import Lake, open_lake
from pipeline.models.backbone_spec import BackboneSpec
from pipeline.storage.descriptions import DescribedWith, write_descriptions
from schemas import Descriptions
from tests.models.tiny import save_local_dir

HEAVY = {"torch", "open_clip", "timm", "torchvision"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    model = save_local_dir(tmp_path_factory.mktemp("models") / "tiny")
    chosen = Settings(backbone=BackboneSettings(pretrained=f"local-dir:{model}"))
    return chosen.model_copy(update={"method": chosen.method.model_copy(update={"name": "clip"})})


@pytest.fixture
def lake(tmp_path, settings: Settings) -> Lake:
    """A lake with a description set of the model, without any rows."""
    opened = open_lake(str(tmp_path), settings.storage)
    sha256 = str(BackboneSpec(settings.backbone, settings.storage).resolved().sha256)
    described(opened, "pets", sha256)
    described(opened, "others", "0" * 64)
    return opened


def described(lake: Lake, set_name: str, sha256: str) -> None:
    made = DescribedWith(
        backbone="tiny", backbone_sha256=sha256, label_prompt="a {}", created_at="2026-11-24"
    )
    write_descriptions(lake, set_name, "a" * 16, Descriptions.create_empty(), made.as_metadata())


def test_what_drives_a_run_imports_none_of_the_heavy_libraries() -> None:
    modules = "jobs.label, jobs.query, jobs.index, pipeline.flows.label_images, pipeline.flows.label_chain"
    script = f"import sys, {modules}; print(*sorted(set(sys.modules) & {HEAVY}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_process_of_its_own_finds_the_same_classifier(lake: Lake, settings: Settings) -> None:
    elsewhere, here = choose_in_child(lake, "pets", settings), choose_classifier(lake, "pets", settings)
    assert replace(elsewhere, pickled_spec=b"") == replace(here, pickled_spec=b"")
    assert pickle.loads(elsewhere.pickled_spec) == find_classifier(lake, "pets", settings)
    assert here.method == "clip"
    assert here.models["backbone"]["sha256"]


def test_its_errors_are_those_of_the_caller(lake: Lake, settings: Settings) -> None:
    with pytest.raises(InputError, match="no description set 'cars'; it has others, pets"):
        choose_in_child(lake, "cars", settings)
    with pytest.raises(ModelError, match="was embedded with tiny"):
        choose_in_child(lake, "others", settings)


def test_a_process_that_ends_without_an_answer_is_told(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="ended with code 1 and no answer"):
        choose_in_child(lake, "pets", cast(Any, None))  # a mistake of laketag itself
    assert "AttributeError" in capfd.readouterr().err
