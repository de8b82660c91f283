import pytest
import torch

from laketag.pipeline.errors import ModelError
from tests.models.tiny import CONTEXT, tiny_backbone


def test_token_counts_are_those_before_the_cut_with_start_and_end() -> None:
    backbone = tiny_backbone()
    ids, counts = backbone.tokenize(["a cat", "cat " * 100, ""])
    assert ids.shape == (3, CONTEXT)
    assert counts == [4, 102, 2]
    assert backbone.context_length == CONTEXT


def test_too_long_texts_lose_their_end_and_keep_the_end_token() -> None:
    backbone = tiny_backbone()
    ids, _ = backbone.tokenize(["cat " * 100, "cat " * (CONTEXT - 2)])
    assert torch.equal(ids[0], ids[1])


def test_text_embeddings_have_unit_length_and_do_not_depend_on_their_batch() -> None:
    backbone = tiny_backbone()
    texts = ["a cat", "a photo of a dog on grass", "x"]
    together = backbone.encode_text(texts)
    alone = torch.cat([backbone.encode_text([text]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-6)
    assert torch.allclose(together.norm(dim=1), torch.ones(3), atol=1e-6)
    assert together.dtype == torch.float32


def test_a_tower_without_cls_token_encodes_views_but_has_no_steps() -> None:
    backbone = tiny_backbone(attentional_pool=True, attn_pooler_heads=2)
    views = backbone.encode_image(torch.randn(2, 3, 56, 56))
    assert torch.allclose(views.norm(dim=1), torch.ones(2), atol=1e-5)
    with pytest.raises(ModelError, match="pools no CLS token"):
        _ = backbone.tower
