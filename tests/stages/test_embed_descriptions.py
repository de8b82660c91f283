"""The text stage, with a tiny CLIP."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import torch

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.errors import ClusterError, ModelError
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from tests.models.tiny import CONTEXT, save_local_dir
from tests.stages.notes_in_memory import DiedError, NotesInMemory

TEXTS = ["a photo of a cat.", "dropped", "word " * 100, "a", ""]
REASONS = [None, "exact_duplicate", None, None, "empty"]


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> BackboneSpec:
    folder = save_local_dir(tmp_path_factory.mktemp("models") / "tiny")
    return BackboneSpec(BackboneSettings(pretrained=f"local-dir:{folder}"), StorageSettings()).resolved()


@pytest.fixture(scope="module")
def embedded(spec) -> pa.Table:
    return EmbedDescriptions(pickle.dumps(spec), device="cpu")(
        pa.table({"text": TEXTS, "drop_reason": REASONS})
    )


def test_what_is_kept_is_embedded_and_the_rest_is_only_counted(embedded):
    assert embedded["text"].to_pylist() == TEXTS
    vectors = embedded["embedding"].to_pylist()
    assert [vector is None for vector in vectors] == [reason is not None for reason in REASONS]
    for vector in filter(None, vectors):
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_tokens_are_counted_with_start_and_end_before_the_cut(embedded):
    assert embedded["tokens"].to_pylist() == [8, 3, 102, 3, 2]
    assert embedded["truncated"].to_pylist() == [count > CONTEXT for count in (8, 3, 102, 3, 2)]


def test_embeddings_are_those_of_the_backbone_one_text_at_a_time(spec, embedded):
    backbone = spec.load("cpu")
    for text, vector in zip(TEXTS, embedded["embedding"].to_pylist(), strict=True):
        if vector is not None:
            np.testing.assert_allclose(vector, backbone.encode_text([text])[0].numpy(), atol=1e-6)


def test_a_batch_with_nothing_to_embed_has_the_same_columns(spec, embedded):
    nothing = EmbedDescriptions(pickle.dumps(spec), device="cpu")(
        pa.table({"text": [""], "drop_reason": ["empty"]})
    )
    assert nothing.schema == embedded.schema


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_text_whose_embedding_is_not_finite_is_refused(spec, value):
    actor = EmbedDescriptions(pickle.dumps(spec), device="cpu")
    clip = actor._backbone._clip
    clip.transformer.register_forward_hook(lambda _layer, _inputs, out: torch.full_like(out, value))
    with pytest.raises(ModelError, match=r"the embedding of 'a photo of a cat\.' is not finite"):
        actor(pa.table({"text": TEXTS, "drop_reason": REASONS}))


class Unloadable:
    def load(self, device: str) -> None:
        raise ImportError(f"no kernels for {device}")


def test_any_error_of_loading_is_raised_by_the_call_as_one_sentence():
    actor = EmbedDescriptions(pickle.dumps(Unloadable()), device="cuda")
    with pytest.raises(ModelError, match=r"cannot load its models \(ImportError: no kernels for cuda\)"):
        actor(pa.table({"text": TEXTS, "drop_reason": REASONS}))


class TextTower:
    """A text tower that has memory for some texts at once, and whose process dies of others."""

    name = "tower"
    context_length = CONTEXT

    def __init__(self, most_texts: int = 1000, kills: str = "none") -> None:
        self.most_texts, self.kills = most_texts, kills
        self.passes: list[int] = []

    def tokenize(self, texts: list[str]) -> tuple[None, list[int]]:
        return None, [len(text) for text in texts]

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        if self.kills in texts:
            raise DiedError
        if len(texts) > self.most_texts:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.passes.append(len(texts))
        return torch.tensor([[float(ord(text[0]))] for text in texts])


class Spec:
    def load(self, _device: str) -> None: ...


def actor_with(tower: TextTower, notes: NotesInMemory | None = None) -> EmbedDescriptions:
    actor = EmbedDescriptions(pickle.dumps(Spec()), device="cpu")
    actor._backbone, actor._notes = tower, notes
    return actor


LETTERS = pa.table({"text": list("abcdefg"), "drop_reason": pa.nulls(7, pa.string())})


def test_with_little_memory_fewer_texts_are_embedded_at_once():
    tower = TextTower(most_texts=2)
    assert actor_with(tower)(LETTERS)["embedding"].to_pylist() == [[float(ord(name))] for name in "abcdefg"]
    assert tower.passes == [1] * 7


def test_too_little_memory_for_one_text_is_an_error_that_says_what_to_do():
    with pytest.raises(ClusterError, match="end other processes that use it"):
        actor_with(TextTower(most_texts=0))(LETTERS)


def test_texts_of_which_two_processes_died_end_the_run_and_are_named():
    notes = NotesInMemory("r")
    actor = actor_with(TextTower(kills="c"), notes)
    for _ in range(2):
        with pytest.raises(DiedError):
            actor(LETTERS)
    with pytest.raises(ClusterError, match="died 2 times while it embedded texts such as 'a'"):
        actor(LETTERS)
    assert actor(LETTERS.slice(3)).num_rows == 4
    assert len(notes.notes) == 1
