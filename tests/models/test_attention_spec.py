import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from laketag.pipeline.config import AttentionSettings, StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.hashed_file import sha256_of
from laketag.pipeline.models.libraries import timm


def spec(**settings: object) -> AttentionSpec:
    return AttentionSpec(AttentionSettings(**settings), StorageSettings())  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vit") / "test_vit.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), path)  # with the classifier that laketag leaves out
    return path


def test_any_timm_vit_is_loaded_from_a_local_file(weights: Path) -> None:
    resolved = pickle.loads(pickle.dumps(spec(name="test_vit.r160_in1k", weights=str(weights)).resolved()))
    assert resolved.sha256 == sha256_of(weights)
    model = resolved.load("cpu")
    attention = model.cls_attention(torch.randn(1, 3, 160, 160))
    assert (model.grid, attention.shape) == (10, (1, 100))
    torch.manual_seed(0)
    expected = timm.create_model("test_vit").state_dict()["blocks.0.attn.qkv.weight"]
    assert torch.equal(model._vit.blocks[0].attn.qkv.weight, expected)


def test_the_model_computes_in_the_precision_of_the_settings(weights: Path) -> None:
    chosen = (
        spec(name="test_vit", weights=str(weights)),
        spec(name="test_vit", weights=str(weights), precision="bf16"),
    )
    pixels = torch.randn(1, 3, 160, 160)
    full, half = (one.load("cpu").cls_attention(pixels) for one in chosen)
    assert full.dtype == half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, atol=1e-3, rtol=0)


def test_preprocessing_is_the_releases_or_the_models_own_and_always_of_the_whole_image() -> None:
    release = spec().preprocessing()
    own = spec(preprocessing="timm").preprocessing()
    assert (release.interpolation, release.mean, release.std) == ("bilinear", (0.5,) * 3, (0.5,) * 3)
    assert (own.interpolation, own.mean) == ("bicubic", (0.485, 0.456, 0.406))
    assert {release.resize_mode, own.resize_mode} == {"squash"}
    assert {release.size_px, own.size_px} == {224}
    assert spec(name="vit_small_patch16_224.dino").preprocessing() == release


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "vit_enormous"}, "is not a timm model"),
        ({"name": "vit_base_patch16_224.nobody"}, "is not a published timm model"),
        ({"name": "test_vit", "weights": "model.pth"}, "laketag never reads them"),
        ({"name": "test_vit", "weights": "nowhere.safetensors"}, "is not a file on this machine"),
    ],
)
def test_a_model_that_cannot_be_had_is_refused_with_the_fix(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        spec(**settings).resolved()


def test_weights_of_another_architecture_are_refused(weights: Path) -> None:
    with pytest.raises(ModelError, match="do not fit the attention model"):
        spec(name="vit_tiny_patch16_224", weights=str(weights)).load("cpu")


def test_the_backbones_own_attention_needs_no_weights() -> None:
    own = spec(name="backbone")
    assert own.resolved() == own
    assert own.is_backbone
