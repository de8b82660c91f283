"""The text stage: descriptions in, their token counts and embeddings out."""

import numpy as np
import pyarrow as pa
import torch

from laketag.pipeline.errors import LaketagError
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.backbone_spec import BackboneSpec


class EmbedDescriptions:
    """Actor: rows with ``text`` and ``drop_reason`` in; the same rows out, with their embeddings.

    ``tokens``, ``truncated`` and ``embedding`` are added. Texts that are dropped already are not embedded.
    """

    def __init__(self, spec: BackboneSpec, *, device: str, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            self._backbone: Backbone | LaketagError = spec.load(device)
        except (
            LaketagError
        ) as error:  # Ray keeps only the text of what a constructor raises: raised by the call
            self._backbone = error

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Count the tokens of every text before the cut; embed what is not dropped, unit length, float32."""
        if isinstance(self._backbone, LaketagError):
            raise self._backbone
        texts: list[str] = batch["text"].to_pylist()
        wanted = [reason is None for reason in batch["drop_reason"].to_pylist()]
        _, tokens = self._backbone.tokenize(texts)
        truncated = [count > self._backbone.context_length for count in tokens]
        chosen = [text for text, is_wanted in zip(texts, wanted, strict=True) if is_wanted]
        vectors = iter(
            self._backbone.encode_text(chosen).cpu().numpy() if chosen else np.empty((0, 0), np.float32)
        )
        embeddings = [next(vectors) if is_wanted else None for is_wanted in wanted]
        return (
            batch.append_column("tokens", pa.array(tokens, pa.int32()))
            .append_column("truncated", pa.array(truncated, pa.bool_()))
            .append_column("embedding", pa.array(embeddings, pa.list_(pa.float32())))
        )
