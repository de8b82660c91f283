import json

import pytest

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.architecture import published_safetensors, read_architecture
from laketag.pipeline.models.libraries import open_clip

STORAGE = StorageSettings()


@pytest.mark.parametrize(
    ("name", "tag", "quick"),
    [
        ("ViT-B-16", "openai", True),
        ("ViT-B-16-quickgelu", "openai", True),
        ("ViT-B-16", "laion2b_s34b_b88k", False),
        ("ViT-B-16-quickgelu", "dfn2b", True),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", True),
        ("ViT-B-16", "weights.safetensors", False),
        ("ViT-B-16-quickgelu", "weights.safetensors", True),
    ],
)
def test_quick_gelu_is_what_the_weights_were_trained_with(name: str, tag: str, quick: bool) -> None:
    architecture = read_architecture(BackboneSettings(name=name, pretrained=tag), STORAGE)
    assert json.loads(architecture.model_config_json).get("quick_gelu", False) is quick


def test_preprocessing_is_the_tags_own() -> None:
    clipa = read_architecture(
        BackboneSettings(name="ViT-L-14-CLIPA", pretrained="datacomp1b"), STORAGE
    ).preprocessing
    assert (clipa.resize_mode, clipa.interpolation) == ("squash", "bilinear")
    openai = read_architecture(
        BackboneSettings(name="ViT-L-14-336", pretrained="openai"), STORAGE
    ).preprocessing
    assert (openai.resize_mode, openai.interpolation, openai.size_px) == ("shortest", "bicubic", 336)
    assert openai.mean == open_clip.OPENAI_DATASET_MEAN


def test_tags_published_only_as_a_pickle_are_refused() -> None:
    with pytest.raises(ModelError, match="the weights of M are published only as a pickle"):
        published_safetensors({"url": "somewhere/model.pt"}, "M")


def test_every_tag_is_looked_for_as_safetensors() -> None:
    for name, tag in open_clip.list_pretrained():
        published = published_safetensors(open_clip.get_pretrained_cfg(name, tag), name)
        assert published.filename.endswith(".safetensors")
    published = published_safetensors({"hf_hub": "owner/model/weights.bin"}, "M")
    assert (published.repository, published.filename) == ("owner/model", "weights.safetensors")
