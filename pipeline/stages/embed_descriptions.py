"""Descriptions in, their token counts and embeddings out."""

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.errors import LaketagError, ModelError
from laketag.pipeline.stages.loading import cannot_load, noted, noted_load

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.models.backbone import Backbone
    from laketag.pipeline.models.backbone_spec import BackboneSpec


class EmbedDescriptions:
    """Actor: rows with ``text`` and ``drop_reason`` in; the same rows out, with three more columns.

    ``tokens`` counts the whole text, ``truncated`` tells whether the text tower sees only its beginning, and
    ``embedding`` has unit length and is null where the text is dropped. With ``notes`` a ClusterError ends the run if processes
    die while they load the model or embed the same texts.
    """

    def __init__(
        self, pickled_spec: bytes, *, device: str, threads: int | None = None, notes: WorkNotes | None = None
    ) -> None:
        """``pickled_spec`` is a BackboneSpec, pickled because the driver cannot unpickle it without torch."""
        self._notes = notes
        self._backbone: Backbone | LaketagError
        try:
            with noted_load(notes) if notes else nullcontext():
                self._backbone = _load(pickled_spec, device, threads)
        except LaketagError as error:
            self._backbone = error  # raised by the call: of a constructor's error Ray keeps only the text
        except Exception as error:  # noqa: BLE001  # torch and the packages of models raise any
            self._backbone = cannot_load(error, device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Count the tokens of every text, and embed those that are not dropped."""
        if isinstance(self._backbone, LaketagError):
            raise self._backbone
        texts: list[str] = batch["text"].to_pylist()
        work = f"texts/{hashlib.blake2b(repr(texts).encode(), digest_size=16).hexdigest()}"
        with (
            noted(self._notes, work, f"embedded texts such as {texts[0]!r}") if self._notes else nullcontext()
        ):
            return self._embed_kept(batch, texts, self._backbone)

    def _embed_kept(self, batch: pa.Table, texts: list[str], backbone: "Backbone") -> pa.Table:
        is_kept = [reason is None for reason in batch["drop_reason"].to_pylist()]
        _, tokens = backbone.tokenize(texts)
        truncated = [count > backbone.context_length for count in tokens]
        kept = [text for text, keep in zip(texts, is_kept, strict=True) if keep]
        vectors = _embed(kept, backbone) if kept else np.empty((0, 0), np.float32)
        for text, vector in zip(kept, vectors, strict=True):
            if not np.isfinite(vector).all():
                raise ModelError(
                    f"{backbone.name}: the embedding of {text!r} is not finite, but NaN or infinite; use sound weights, "
                    'or backbone.precision = "fp32" if they overflow in another one'
                )
        rest = iter(vectors)
        embeddings = [next(rest) if keep else None for keep in is_kept]
        return (
            batch.append_column("tokens", pa.array(tokens, pa.int32()))
            .append_column("truncated", pa.array(truncated, pa.bool_()))
            .append_column("embedding", pa.array(embeddings, pa.list_(pa.float32())))
        )


def _load(pickled_spec: bytes, device: str, threads: int | None) -> "Backbone":
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    spec: BackboneSpec = pickle.loads(pickled_spec)
    return spec.load(device)


def _embed(texts: Sequence[str], backbone: "Backbone") -> np.ndarray:
    """The embeddings, texts × dim; fewer texts are embedded at once where the device has too little memory."""
    from laketag.pipeline.classifier.micro_batch import MicroBatch

    at_once = MicroBatch(len(texts))
    parts: list[np.ndarray] = []
    while rest := texts[sum(len(part) for part in parts) :]:
        found = _try_to_embed(rest[: at_once.size], backbone)
        if found is None:  # outside the except clause, where the error keeps the tensors alive
            at_once.shrink()
        else:
            parts.append(found)
    return np.concatenate(parts)


def _try_to_embed(texts: Sequence[str], backbone: "Backbone") -> np.ndarray | None:
    """Embeddings of the texts; None if the device ran out of memory."""
    from laketag.pipeline.classifier.micro_batch import is_out_of_memory

    try:
        return backbone.encode_text(texts).cpu().numpy()
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not is_out_of_memory(error):
            raise
        return None
