import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.models.backbone_spec import lower_image_tower
from laketag.pipeline.models.image_tower import image_tower
from tests.models.tiny import tiny_backbone, tiny_clip, tiny_config

VARIANTS = [
    {},
    {"ls_init_value": 0.5},
    {"no_ln_pre": True},
    {"qk_norm": True},
    {"final_ln_after_pool": True},
    {"layers": 1},
]


def pixels(views: int = 2, size: int = 56) -> torch.Tensor:
    return torch.randn(views, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@torch.inference_mode()
def test_the_tower_in_steps_gives_what_open_clip_gives(variant: dict[str, object]) -> None:
    clip = tiny_clip(tiny_config(**variant))
    tower = image_tower(clip.visual)
    assert tower is not None
    expected = F.normalize(clip.encode_image(pixels()), dim=-1)
    for block in range(tower.blocks):
        tokens = tower.run_blocks(tower.embed(pixels()), 0, block)
        assert torch.allclose(tower.finish(tokens, block), expected, atol=1e-6)


@torch.inference_mode()
def test_attention_of_the_last_block_is_what_its_attention_module_computes() -> None:
    clip = tiny_clip(tiny_config())
    tower = image_tower(clip.visual)
    assert tower is not None
    tokens = tower.run_blocks(tower.embed(pixels()), 0, tower.blocks - 1)
    block = clip.visual.transformer.resblocks[-1]
    normed = block.ln_1(tokens)
    expected = block.attn(normed, normed, normed, need_weights=True)[1][:, 0, 1:]
    assert torch.allclose(tower.cls_attention(tokens), expected, atol=1e-6)


@pytest.mark.parametrize("variant", [{"attentional_pool": True}, {"pool_type": "avg"}], ids=str)
def test_a_tower_that_pools_no_cls_token_has_no_steps(variant: dict[str, object]) -> None:
    assert image_tower(tiny_clip(tiny_config(**variant)).visual) is None


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@torch.inference_mode()
def test_half_precision_is_near_float32_and_embeddings_are_unit_float32(precision: str) -> None:
    full, half = tiny_clip(tiny_config()), tiny_clip(tiny_config(), precision=precision)
    lower_image_tower(half, precision)
    towers = image_tower(full.visual), image_tower(half.visual)
    assert towers[0] is not None
    assert towers[1] is not None
    tokens = towers[1].embed(pixels())
    assert tokens.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    found, expected = towers[1].finish(tokens, 0), towers[0].finish(towers[0].embed(pixels()), 0)
    assert found.dtype == torch.float32
    assert float((found * expected).sum(dim=1).min()) > 0.99
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)


@torch.inference_mode()
def test_the_text_tower_stays_in_float32_beside_a_lower_image_tower() -> None:
    half = tiny_clip(tiny_config(), precision="bf16")
    lower_image_tower(half, "bf16")
    backbone = tiny_backbone()
    ids, _ = backbone.tokenize(["a photo of a cat"])
    assert torch.allclose(
        F.normalize(half.encode_text(ids), dim=-1), backbone.encode_text(["a photo of a cat"]), atol=1e-6
    )
