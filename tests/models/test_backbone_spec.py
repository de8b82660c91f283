import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.backbone_spec import BackboneSpec, check_cls_tower
from laketag.pipeline.models.hashed_file import sha256_of
from laketag.pipeline.models.libraries import open_clip
from tests.models.tiny import save_local_dir

STORAGE = StorageSettings()


def spec(**settings: object) -> BackboneSpec:
    return BackboneSpec(BackboneSettings(**settings), STORAGE)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_local_dir(tmp_path_factory.mktemp("clip") / "model", image_px=64)


def test_a_local_folder_is_loaded_as_open_clip_loads_it(folder: Path) -> None:
    resolved = pickle.loads(pickle.dumps(spec(pretrained=f"local-dir:{folder}").resolved()))
    backbone = resolved.load("cpu")
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(["a red ball"])
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.encode_text(tokens), dim=-1)
    assert torch.allclose(backbone.encode_text(["a red ball"]), expected, atol=1e-6)
    assert (backbone.context_length, backbone.embed_dim, backbone.tower.grid, backbone.tower.blocks) == (
        32,
        32,
        8,
        3,
    )
    assert (backbone.preprocessing.resize_mode, backbone.preprocessing.size_px) == ("squash", 64)
    assert str(transform).count("64") >= 1
    assert resolved.sha256 == sha256_of(folder / "open_clip_model.safetensors")


def test_the_folder_may_be_the_name_too(folder: Path) -> None:
    assert spec(name=f"local-dir:{folder}").resolved().name == f"local-dir:{folder}"


def test_another_checksum_than_the_settings_name_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"as backbone\.sha256 requires; get the right file"):
        spec(pretrained=f"local-dir:{folder}", sha256="0" * 64).resolved()


def test_weights_that_change_after_they_were_resolved_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    resolved = spec(pretrained=f"local-dir:{copy}").resolved()
    save_local_dir(copy, image_px=64, seed=1)
    with pytest.raises(ModelError, match=rf"weights {copy}/.* as the driver of the run found"):
        resolved.load("cpu")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "ViT-Z-99"}, "is not an open_clip architecture"),
        ({"name": "ViT-B-16", "pretrained": "nobody"}, "is not a pretrained tag of ViT-B-16 .tags: openai"),
        ({"name": "ViT-B-16", "pretrained": "model.pt"}, "laketag never reads them"),
        ({"name": "ViT-B-16", "pretrained": "s3://b/model.bin"}, "laketag never reads them"),
        ({"name": "ViT-B-16", "pretrained": "nowhere.safetensors"}, "is not a file on this machine"),
        ({"pretrained": "local-dir:/nowhere"}, "open_clip_config.json is not a file on this machine"),
    ],
)
def test_a_model_that_cannot_be_had_is_refused_with_the_fix(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        spec(**settings).resolved()


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    weights = str(folder / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="do not fit the architecture"):
        spec(name="ViT-S-32", pretrained=weights).load("cpu")


def test_a_file_that_only_pretends_to_be_safetensors_is_refused(tmp_path: Path) -> None:
    config = save_local_dir(tmp_path / "model")
    (config / "open_clip_model.safetensors").write_bytes(b"\x80\x04not a tensor")
    with pytest.raises(ModelError, match="do not fit the architecture"):
        spec(pretrained=f"local-dir:{config}").load("cpu")


@pytest.mark.parametrize(
    "model",
    [
        ("ViT-B-16-SigLIP", "webli"),
        ("coca_ViT-B-32", "laion2b_s13b_b90k"),
        ("RN50", "openai"),
        ("convnext_base", "laion400m_s13b_b51k"),
    ],
    ids=lambda model: model[0],
)
def test_towers_without_a_cls_token_are_refused_before_weights_are_loaded(model: tuple[str, str]) -> None:
    with pytest.raises(ModelError, match=r"pools no CLS token .* set method\.feature_crops=false"):
        check_cls_tower(spec(name=model[0], pretrained=model[1]).with_architecture(), None)


def test_a_block_beyond_the_tower_is_refused_before_weights_are_loaded() -> None:
    with pytest.raises(ModelError, match="has blocks 0 to 11"):
        check_cls_tower(spec(name="ViT-B-16").with_architecture(), 12)
    check_cls_tower(spec(name="ViT-B-16").with_architecture(), 11)


def test_a_checkpoint_file_with_a_named_architecture_is_loaded(tmp_path: Path) -> None:
    config = open_clip.get_model_config("ViT-S-32-alt")
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, tmp_path / "m.safetensors"
    )
    backbone = spec(name="ViT-S-32-alt", pretrained=str(tmp_path / "m.safetensors")).load("cpu")
    assert (backbone.tower.grid, backbone.embed_dim) == (7, config["embed_dim"])
