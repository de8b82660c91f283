"""The driver knows its classifier without the libraries that compute with it."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from laketag.pipeline.classifier.choose_classifier import choose_classifier, choose_in_child, find_classifier
from laketag.pipeline.config import BackboneSettings, Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.backbone_spec import BackboneSpec
from tests.end_to_end.command_line import command_env, wait_until
from tests.models.tiny import save_local_dir
from tests.process_tree import below
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store

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


def test_what_drives_a_run_imports_none_of_the_heavy_libraries() -> None:
    modules = (
        "laketag.jobs.label, laketag.jobs.query, laketag.jobs.index, laketag.pipeline.flows.label_images"
    )
    script = f"import sys, {modules}; print(*sorted(set(sys.modules) & {HEAVY}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_process_of_its_own_finds_the_same_classifier(settings: Settings, pets: EmbeddedSet) -> None:
    elsewhere, here = choose_in_child(settings, pets), choose_classifier(settings, pets)
    assert replace(elsewhere, pickled_spec=b"") == replace(here, pickled_spec=b"")
    assert pickle.loads(elsewhere.pickled_spec) == find_classifier(settings, pets)
    assert here.method == "clip"
    assert here.models["backbone"]["sha256"]


def test_its_errors_are_those_of_the_caller(settings: Settings, pets: EmbeddedSet) -> None:
    with pytest.raises(ModelError, match="was embedded with tiny"):
        choose_in_child(settings, replace(pets, backbone_sha256="0" * 64))


def test_the_folder_that_a_person_stands_in_is_none_of_its_code(
    settings: Settings, pets: EmbeddedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert choose_in_child(settings, pets).method == "clip"


def test_a_stopped_caller_leaves_no_part_of_a_download(
    settings: Settings, pets: EmbeddedSet, moto: Store, tmp_path: Path
) -> None:
    """SIGTERM arrives while the weights come in slowly."""
    assert moto.storage.endpoint_url is not None
    url = moto.put("slow.safetensors", bytes(20_000_000))
    cache = tmp_path / "cache"
    with serve_faults(moto.storage.endpoint_url) as proxy:
        proxy.add(Fault("stall", path=r"slow\.safetensors", method="GET"))
        slow = moto.through(proxy.url)
        chosen = settings.model_copy(
            update={
                "backbone": BackboneSettings(name="ViT-B-32", pretrained=url),
                "storage": slow.storage,
            }
        )
        (tmp_path / "asked").write_bytes(pickle.dumps((chosen, pets)))
        caller = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import pickle, signal, sys; from laketag.pipeline.classifier.choose_classifier import choose_in_child\n"
                "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
                "choose_in_child(*pickle.load(open(sys.argv[1], 'rb')))",
                str(tmp_path / "asked"),
            ],
            env=command_env({**slow.env, "LAKETAG_CACHE": str(cache)}),
        )
        wait_until(lambda: list(cache.glob(".*.part")) or caller.poll() is not None, "the download has begun")
        started = below(caller.pid)
        caller.terminate()
        assert caller.wait(30) == 7
        assert not any(process.title for process in started)
    assert list(cache.glob(".*.part")) == []


def test_a_process_that_ends_without_an_answer_is_told(
    pets: EmbeddedSet, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="ended with code 1 and no answer"):
        choose_in_child(Settings.model_construct(method=None), pets)  # as after a bug of laketag itself
    assert "AttributeError" in capfd.readouterr().err
