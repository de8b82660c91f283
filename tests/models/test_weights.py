import hashlib
import json
import os
from pathlib import Path

import pytest

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.errors import ModelError, StorageError
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile
from laketag.pipeline.models.weights import local_copy, require_safetensors
from tests.models.tiny import save_local_dir
from tests.stores.store import Store

STORAGE = StorageSettings()
CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KNOWN = ExpectedSha256(SHA256, "backbone.sha256", by_driver=True)


def test_a_local_file_is_used_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(CONTENT)
    assert local_copy(str(path), None, STORAGE) == HashedFile(path, SHA256)
    assert local_copy(str(path), KNOWN, STORAGE) == HashedFile(path, SHA256)
    wrong = ExpectedSha256("1" * 64, "backbone.sha256", by_driver=False)
    with pytest.raises(
        ModelError, match=f"weights {path} have sha256 {SHA256} on .* correct backbone.sha256"
    ):
        local_copy(str(path), wrong, STORAGE)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelError, match=r"checkpoint nowhere/m\.safetensors is not a file"):
        local_copy("nowhere/m.safetensors", None, STORAGE)


@pytest.mark.parametrize(
    "name", ["model.pt", "s3://b/pytorch_model.bin", "model.pth", "model.ckpt", "safetensors"]
)
def test_pickles_are_refused_by_name(name: str) -> None:
    with pytest.raises(ModelError, match="laketag never reads them"):
        require_safetensors(name, "backbone.pretrained")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKETAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_checkpoint_on_s3_is_copied_into_the_cache_and_follows_its_object(moto: Store, cache: Path) -> None:
    url = moto.put("m.safetensors", CONTENT)
    copy = local_copy(url, None, moto.storage)
    assert copy == local_copy(url, KNOWN, moto.storage) == HashedFile(cache / f"{SHA256}.safetensors", SHA256)
    moto.put("m.safetensors", b"other")
    assert local_copy(url, None, moto.storage).path.read_bytes() == b"other"
    moto.delete("m.safetensors")
    assert local_copy(url, KNOWN, moto.storage).path.read_bytes() == CONTENT  # the store gets no request


def test_a_checkpoint_that_is_not_on_s3_is_a_storage_error(moto: Store, cache: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        local_copy(moto.url("m.safetensors"), None, moto.storage)


def test_an_unusable_cache_folder_is_not_reported_as_the_stores_error(moto: Store, cache: Path) -> None:
    cache.write_bytes(b"in the way")
    url = moto.put("m.safetensors", CONTENT)
    with pytest.raises(StorageError, match=rf"^the folder of downloaded weights, {cache} on"):
        local_copy(url, None, moto.storage)


def test_a_model_folder_on_s3_with_a_hugging_face_tokenizer_is_refused_before_its_weights_are_copied(
    moto: Store, cache: Path
) -> None:
    text = {"hf_tokenizer_name": "bert-base-uncased"}
    moto.put("model/open_clip_config.json", json.dumps({"model_cfg": {"text_cfg": text}}).encode())
    settings = BackboneSettings(pretrained=f"local-dir:{moto.url('model')}")  # type: ignore[call-arg]
    with pytest.raises(
        ModelError, match=r"'bert-base-uncased', which is read from local folders only; copy s3:"
    ):
        BackboneSpec(settings, moto.storage).resolved()


def test_a_model_folder_on_s3_is_loaded(moto: Store, cache: Path, tmp_path: Path) -> None:
    for file in save_local_dir(tmp_path / "model", image_px=64).iterdir():
        moto.put(f"model/{file.name}", file.read_bytes())
    settings = BackboneSettings(pretrained=f"local-dir:{moto.url('model')}")  # type: ignore[call-arg]
    assert BackboneSpec(settings, moto.storage).resolved().load("cpu").tower.grid == 8
