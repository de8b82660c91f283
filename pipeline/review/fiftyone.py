"""Reviews as a dataset of FiftyOne in one JSON file, as ``Dataset.from_json`` reads and ``write_json`` writes it.

Each sample has the label as the Classification ``prediction``, its evidence as Detections, and an empty ``decision``, the field
that a person fills. The ``samples.json`` of an exported FiftyOneDataset is read too.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from laketag.pipeline.errors import InputError
from laketag.pipeline.review.items import Proposal, ReadFile, ReviewItem, Subject, read_class, read_time

OF_IMAGE = ("image_id", "uri", "etag", "collection", "description_set")


def write_dataset(items: Sequence[ReviewItem], subject: Subject) -> bytes:
    """The images as a dataset."""
    dataset = {
        "name": f"laketag review of {subject.collection} and {subject.description_set}",
        "media_type": "image",
        "info": {"collection": subject.collection, "description_set": subject.description_set},
        "default_classes": list(subject.class_names),
        "samples": [_sample(item, subject) for item in items],
    }
    return json.dumps(dataset, indent=1, ensure_ascii=False).encode()


def _sample(item: ReviewItem, subject: Subject) -> dict[str, Any]:
    width_px, height_px = item.size_px
    return {
        "filepath": item.link,
        "tags": [],
        "metadata": {"_cls": "ImageMetadata", "width": width_px, "height": height_px},
        "prediction": {
            "_cls": "Classification",
            "tags": [],
            "label": item.label,
            "confidence": item.probability,
        },
        "evidence": {
            "_cls": "Detections",
            "detections": [
                {
                    "_cls": "Detection",
                    "tags": [],
                    "label": item.label,
                    "bounding_box": list(item.box),
                    "confidence": item.probability,
                    "description": item.description,
                }
            ],
        },
        "decision": None,
        "image_id": item.image_id,
        "uri": item.uri,
        "etag": item.etag,
        "collection": subject.collection,
        "description_set": subject.description_set,
    }


def read_dataset(dataset: Mapping[str, Any], name: str) -> ReadFile:
    """The samples whose field ``decision`` is a Classification with a label, or a text."""
    samples: Sequence[Any] = dataset["samples"]
    proposals = []
    undecided = 0
    for number, sample in enumerate(samples, 1):
        place = f"sample {number}"
        if not isinstance(sample, Mapping):
            raise InputError(f"{name}: {place} is no object; write the dataset again with dataset.write_json")
        decision = sample.get("decision")
        about: Mapping[str, Any] = decision if isinstance(decision, Mapping) else {"label": decision}
        if not about.get("label"):
            undecided += 1
            continue
        proposals.append(
            Proposal(
                place=place,
                classes=(read_class(about["label"]),),
                decided_by=str(about.get("decided_by") or ""),
                decided_at=read_time(about.get("decided_at")),
                **{key: str(sample.get(key) or "") for key in OF_IMAGE},
            )
        )
    return ReadFile(proposals, undecided)
