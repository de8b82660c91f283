import pytest
import torch

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.libraries import timm
from laketag.pipeline.models.preprocessing import Preprocessing
from tests.models.tiny import CPU, HALF, tiny_vit

VITS = {
    "plain": {},
    "one block": {"depth": 1},
    "registers": {"reg_tokens": 3},
    "no position for CLS": {"no_embed_class": True, "reg_tokens": 1},
    "normed queries": {"qk_norm": True},
    "no bias": {"qkv_bias": False},
    "another grid": {"image_px": 40, "patch_px": 8},
    "norm before": {"pre_norm": True},
}


def softmaxed_attention(vit: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """What timm's unfused last block hands to its dropout in a full pass."""
    caught = []
    vit.blocks[-1].attn.fused_attn = False
    hook = vit.blocks[-1].attn.attn_drop.register_forward_hook(lambda *call: caught.append(call[-1]))
    vit(pixels)
    hook.remove()
    return caught[0].mean(dim=1)[:, 0, vit.num_prefix_tokens :]


@pytest.mark.parametrize("options", VITS.values(), ids=VITS.keys())
@torch.inference_mode()
def test_attention_is_what_timms_last_block_computes(options: dict[str, object]) -> None:
    size = int(options.get("image_px", 56))  # type: ignore[call-overload]
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    expected = softmaxed_attention(tiny_vit(**options), pixels)
    model = AttentionModel(
        "tiny", tiny_vit(**options), Preprocessing(size, "squash", "bilinear", HALF, HALF), CPU
    )
    found = model.cls_attention(pixels)
    assert model.grid**2 == found.shape[1]
    assert torch.allclose(found, expected, atol=1e-7)
    assert float(expected.std()) > 1e-4  # it looks somewhere


@torch.inference_mode()
def test_attention_of_blocks_of_another_make_is_captured() -> None:
    def make() -> torch.nn.Module:
        torch.manual_seed(0)
        return timm.create_model("eva02_tiny_patch14_224", num_classes=0, depth=2, img_size=56).eval()

    pixels = torch.randn(2, 3, 56, 56)
    expected = softmaxed_attention(make(), pixels)
    model = AttentionModel("eva", make(), Preprocessing(56, "squash", "bilinear", HALF, HALF), CPU)
    assert torch.allclose(model.cls_attention(pixels), expected, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", [{}, {"qk_norm": True}], ids=["plain", "normed queries"])
@torch.inference_mode()
def test_attention_in_half_precision_is_near_that_in_float32(dtype, options) -> None:
    pixels = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    preprocessing = Preprocessing(56, "squash", "bilinear", HALF, HALF)
    full, half = (
        AttentionModel("tiny", tiny_vit(**options).to(kind), preprocessing, CPU).cls_attention(pixels)
        for kind in (torch.float32, dtype)
    )
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.1 * full.max()


@pytest.mark.parametrize("name", ["test_vit2", "test_vit_relpos", "test_resnet"])
def test_a_model_without_a_cls_token_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no CLS token whose attention can be read"):
        AttentionModel(
            name, timm.create_model(name), Preprocessing(160, "squash", "bilinear", HALF, HALF), CPU
        )
