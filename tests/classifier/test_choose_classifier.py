"""The driver knows its classifier without the libraries that compute with it."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from laketag.pipeline.classifier.choose_classifier import (
    choose_classifier,
    choose_in_child,
    find_classifier,
    load_share_rule,
    recall_classifier,
)
from laketag.pipeline.config import BackboneSettings, Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import ModelError, SettingsError
from laketag.pipeline.lake.paths import checked_name
from laketag.pipeline.models.backbone_spec import BackboneSpec
from tests.end_to_end.command_line import wait_until
from tests.models.tiny import save_local_dir
from tests.process_tree import below

HEAVY = {"torch", "open_clip", "timm", "torchvision"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    model = save_local_dir(tmp_path_factory.mktemp("models") / "tiny")
    chosen = Settings(backbone=BackboneSettings(pretrained=f"local-dir:{model}"))
    return chosen.model_copy(update={"method": chosen.method.model_copy(update={"name": "clip"})})


@pytest.fixture(scope="module")
def pets(settings: Settings) -> EmbeddedSet:
    """A set that the model's own text tower embedded."""
    sha256 = str(BackboneSpec(settings.backbone, settings.storage).resolved().sha256)
    return EmbeddedSet(
        name="pets", version="v-aaaa", backbone="tiny", backbone_sha256=sha256, label_prompt="a {}"
    )


def test_how_scores_become_probabilities_is_what_the_loaded_classifier_does(
    settings: Settings, pets: EmbeddedSet
) -> None:
    spec = find_classifier(settings, pets)
    rule = load_share_rule(pickle.dumps(spec))
    assert (rule.kind, rule.views) == ("cosine", 1)
    assert rule.exponent == spec.backbone.load("cpu").logit_scale


def test_what_drives_a_run_imports_none_of_the_heavy_libraries() -> None:
    modules = (
        "laketag.jobs.label, laketag.jobs.query, laketag.jobs.index, laketag.pipeline.flows.label_images, "
        "laketag.jobs.describe, laketag.jobs.nightly, laketag.pipeline.flows.nightly"
    )
    script = f"import sys, {modules}; print(*sorted(set(sys.modules) & {HEAVY}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_another_process_finds_the_same_classifier_whatever_is_in_the_current_folder(
    settings: Settings, pets: EmbeddedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("laketag", "pipeline", "torch", "pickle"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    elsewhere, here = choose_in_child(settings, pets), choose_classifier(settings, pets)
    assert replace(elsewhere, pickled_spec=b"") == replace(here, pickled_spec=b"")
    assert pickle.loads(elsewhere.pickled_spec) == find_classifier(settings, pets)
    assert here.method == "clip"
    assert here.models["backbone"]["sha256"]


def test_a_classifier_is_remembered_until_a_file_of_its_models_changes(
    pets: EmbeddedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKETAG_CACHE", str(tmp_path / "cache"))
    model = save_local_dir(tmp_path / "tiny")
    chosen = Settings.model_validate(
        {"backbone": {"pretrained": f"local-dir:{model}"}, "method": {"name": "clip"}}
    )
    assert recall_classifier(chosen, pets) is None
    found = choose_classifier(chosen, pets)
    as_json = json.loads(json.dumps(found.decided_by))
    assert recall_classifier(chosen, pets) == replace(found, decided_by=as_json)
    assert choose_classifier(chosen, pets) == replace(found, decided_by=as_json)
    assert recall_classifier(chosen, replace(pets, version="v-bbbb")) is None
    with monkeypatch.context() as patched:  # a pickle of another user is not unpickled
        patched.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert recall_classifier(chosen, pets) is None
    os.utime(next(Path(model).glob("*.safetensors")), (0, 0))
    assert recall_classifier(chosen, pets) is None


def test_descriptions_that_another_model_embedded_are_refused(settings: Settings, pets: EmbeddedSet) -> None:
    with pytest.raises(ModelError, match="was embedded with tiny"):
        find_classifier(settings, replace(pets, backbone_sha256="0" * 64))


class Calls(Settings):
    """Settings that become a call of a function when the other process reads them, before it imports torch."""

    call: Any

    def __reduce__(self) -> Any:
        return self.call


def test_an_error_of_the_other_process_is_raised_here(pets: EmbeddedSet) -> None:
    with pytest.raises(SettingsError, match="set 'no/name' cannot be part of a path"):
        choose_in_child(Calls(call=(checked_name, ("no/name", "set"))), pets)


def test_a_process_that_ends_without_an_answer_is_an_error(pets: EmbeddedSet) -> None:
    with pytest.raises(ModelError, match="ended with code 9 and no answer"):
        choose_in_child(Calls(call=(os._exit, (9,))), pets)


def test_a_stopped_caller_leaves_no_process(pets: EmbeddedSet) -> None:
    caller, handler = threading.get_ident(), signal.getsignal(signal.SIGTERM)

    def is_running() -> bool:
        return any("sleep 600" in process.title for process in below(os.getpid()))

    def stop() -> None:
        try:
            wait_until(is_running, "the other process works")
        finally:
            signal.pthread_kill(caller, signal.SIGTERM)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    try:
        threading.Thread(target=stop).start()
        with pytest.raises(SystemExit, match="7"):
            choose_in_child(Calls(call=(os.execvp, ("sleep", ["sleep", "600"]))), pets)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert not is_running()
