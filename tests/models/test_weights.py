import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from pipeline.config import BackboneSettings, StorageSettings
from pipeline.errors import ModelError, StorageError
from pipeline.models.backbone_spec import BackboneSpec
from pipeline.models.weights import copy_once, local_copy, require_safetensors, sha256_of
from tests.models.copying import copy_from_s3
from tests.models.tiny import save_local_dir
from tests.stores.fault_proxy import serve_faults
from tests.stores.store import Store

STORAGE = StorageSettings()
CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class CountedSource:
    """Opens a file, slowly, and leaves a byte in a log for each time."""

    def __init__(self, path: Path, log: Path) -> None:
        self.path, self.log = path, log

    def __call__(self):
        with self.log.open("ab") as log:
            log.write(b".")
        time.sleep(0.2)
        return self.path.open("rb")


def ask(
    source: CountedSource, sha256: str | None, folder: Path, answers: "multiprocessing.Queue[str]"
) -> None:
    answers.put(str(copy_once(source, "s3://b/m.safetensors", sha256=sha256, version="1", folder=folder)))


@pytest.fixture
def source(tmp_path: Path) -> CountedSource:
    (tmp_path / "source").write_bytes(CONTENT)
    return CountedSource(tmp_path / "source", tmp_path / "log")


@pytest.mark.parametrize("sha256", [SHA256, None], ids=["known", "unknown"])
def test_twenty_processes_at_once_read_the_source_once(
    source: CountedSource, tmp_path: Path, sha256: str | None
) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[str] = context.Queue()
    askers = [
        context.Process(target=ask, args=(source, sha256, tmp_path / "cache", answers)) for _ in range(20)
    ]
    for asker in askers:
        asker.start()
    paths = {answers.get(timeout=60) for _ in askers}
    for asker in askers:
        asker.join()
    assert paths == {str(tmp_path / "cache" / f"{SHA256}.safetensors")}
    assert sha256_of(Path(paths.pop())) == SHA256
    assert source.log.read_bytes() == b"."


def test_a_copy_found_without_a_checksum_serves_those_who_know_it(
    source: CountedSource, tmp_path: Path
) -> None:
    for sha256 in (None, SHA256, None):
        copy_once(source, "s3://b/m.safetensors", sha256=sha256, version="1", folder=tmp_path / "cache")
    assert source.log.read_bytes() == b"."


def test_another_version_of_the_object_is_downloaded_again(source: CountedSource, tmp_path: Path) -> None:
    first = copy_once(source, "s3://b/m.safetensors", sha256=None, version="1", folder=tmp_path / "cache")
    source.path.write_bytes(b"other")
    second = copy_once(source, "s3://b/m.safetensors", sha256=None, version="2", folder=tmp_path / "cache")
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, b"other")


def test_a_wrong_checksum_is_refused_and_leaves_nothing_behind(source: CountedSource, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"have sha256 {SHA256}, not {'0' * 64}"):
        copy_once(source, "s3://b/m.safetensors", sha256="0" * 64, version=None, folder=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_source_that_breaks_off_leaves_no_half_a_file(tmp_path: Path) -> None:
    def broken():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        copy_once(broken, "s3://b/m.safetensors", sha256=SHA256, version=None, folder=tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_local_file_is_used_where_it_lies(source: CountedSource) -> None:
    assert local_copy(str(source.path), SHA256, STORAGE) == source.path
    with pytest.raises(ModelError, match="get the right file, or correct the sha256 setting"):
        local_copy(str(source.path), "1" * 64, STORAGE)


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
    assert copy == local_copy(url, SHA256, moto.storage) == cache / f"{SHA256}.safetensors"
    moto.put("m.safetensors", b"other")
    assert local_copy(url, None, moto.storage).read_bytes() == b"other"
    moto.delete("m.safetensors")
    assert local_copy(url, SHA256, moto.storage).read_bytes() == CONTENT  # nobody asks the store any more


def test_sixteen_processes_at_once_download_an_object_once(moto: Store, tmp_path: Path) -> None:
    """As the label actors of a node do when a job starts; counted where the requests arrive."""
    moto.put("m.safetensors", CONTENT)
    assert moto.storage.endpoint_url is not None
    context = multiprocessing.get_context(
        "forkserver"
    )  # clean children: s3fs and the proxy have threads here
    context.set_forkserver_preload([copy_from_s3.__module__, "pipeline.storage.filesystems", "s3fs"])
    with serve_faults(moto.storage.endpoint_url) as proxy:
        store = moto.through(proxy.url)

        def copy_at_once(processes: int) -> int:
            """GETs that so many processes with one empty cache cause."""
            before = proxy.count("m.safetensors")
            answers: multiprocessing.Queue[str] = context.Queue()
            env = {**store.env, "LAKETAG_CACHE": str(tmp_path / f"node of {processes}")}
            arguments = (env, store.url("m.safetensors"), store.storage, answers)
            askers = [context.Process(target=copy_from_s3, args=arguments) for _ in range(processes)]
            for asker in askers:
                asker.start()
            paths = {answers.get(timeout=240) for _ in askers}
            for asker in askers:
                asker.join()
            assert sha256_of(Path(paths.pop())) == SHA256
            assert not paths
            return proxy.count("m.safetensors") - before

        alone = copy_at_once(1)
        assert alone >= 1
        assert copy_at_once(16) == alone


def test_a_checkpoint_that_is_not_on_s3_is_a_storage_error(moto: Store, cache: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        local_copy(moto.url("m.safetensors"), None, moto.storage)


def test_a_model_folder_on_s3_is_loaded(moto: Store, cache: Path, tmp_path: Path) -> None:
    for file in save_local_dir(tmp_path / "model", image_px=64).iterdir():
        moto.put(f"model/{file.name}", file.read_bytes())
    settings = BackboneSettings(pretrained=f"local-dir:{moto.url('model')}")  # type: ignore[call-arg]
    assert BackboneSpec(settings, moto.storage).resolved().load("cpu").tower.grid == 8
