"""The cut text tower against open_clip's own on the full context."""

from typing import Any

import pytest
import torch

from laketag.pipeline.models.text_tower import encode_tokens, needed_length
from tests.models.tiny import CONTEXT, TOKENIZER, tiny_clip, tiny_config

TEXTS = ["a cat", "a photo of a dog on grass", "x", "word " * 20]
LONG = [*TEXTS, "word " * 100]


def clip_with(*, custom: bool = False, texts: list[str] = TEXTS, **text: Any) -> tuple[Any, torch.Tensor]:
    config = tiny_config() | {"custom_text": custom}
    config["text_cfg"] = {**config["text_cfg"], **text}
    return tiny_clip(config), TOKENIZER(texts)


@pytest.mark.parametrize("custom", [False, True], ids=["CLIP", "CustomTextCLIP"])
@pytest.mark.parametrize("pooling", [{}, {"pool_type": "eos", "eos_id": 49407}], ids=["argmax", "eos"])
def test_a_causal_tower_on_the_cut_context_gives_the_numbers_of_the_full_one(pooling, custom):
    clip, ids = clip_with(custom=custom, **pooling)
    with torch.inference_mode():
        assert needed_length(clip.text if custom else clip, ids) == 22
        seen = []
        clip.get_submodule("text.transformer" if custom else "transformer").register_forward_pre_hook(
            lambda _, inputs: seen.append(inputs[0].shape[1])
        )
        expected = clip.encode_text(ids, normalize=True)
        torch.testing.assert_close(
            torch.nn.functional.normalize(encode_tokens(clip, ids), dim=-1), expected, atol=1e-6, rtol=0
        )
        assert seen == [CONTEXT, 22]


@pytest.mark.parametrize(
    "text",
    [
        {"no_causal_mask": True},
        {"no_causal_mask": True, "pool_type": "last"},
        {"pool_type": "last"},
        {"embed_cls": True, "custom": True},
        {"texts": LONG},
    ],
    ids=["not causal", "as SigLIP", "last token", "a CLS token after the text", "a text of full length"],
)
def test_other_towers_and_texts_keep_the_full_context(text):
    clip, ids = clip_with(**({"custom": True} | text))
    with torch.inference_mode():
        assert needed_length(clip.text, ids) == CONTEXT
        assert torch.equal(encode_tokens(clip, ids), clip.encode_text(ids))
