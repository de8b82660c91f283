"""Reviews as tasks of Label Studio, whose predictions are the label and its evidence, and its export of annotations.

The formats are those of labelstud.io/guide/predictions and labelstud.io/guide/task_format. A project shows the tasks with the
labelling interface of ``write_interface``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from laketag.pipeline.errors import InputError
from laketag.pipeline.review.items import Proposal, ReadFile, ReviewItem, Subject, read_class, read_time
from laketag.schemas import NONE_OF_THESE

CHOICES, EVIDENCE, IMAGE = "class", "evidence", "image"
"""The names of the controls, and of the image that they are about."""
OF_IMAGE = ("image_id", "uri", "etag", "collection", "description_set")


def write_tasks(items: Sequence[ReviewItem], subject: Subject) -> bytes:
    """The images as a list of tasks, to be imported into a project."""
    return json.dumps([_task(item, subject) for item in items], indent=1, ensure_ascii=False).encode()


def write_interface(subject: Subject) -> bytes:
    """The labelling interface of a project for the tasks."""
    choices = "".join(
        f"    <Choice value={quoteattr(name)}/>\n" for name in (*subject.class_names, NONE_OF_THESE)
    )
    return (
        "<View>\n"
        f'  <Image name="{IMAGE}" value="${IMAGE}"/>\n'
        f'  <Choices name="{CHOICES}" toName="{IMAGE}" choice="single" required="true">\n{choices}  </Choices>\n'
        f'  <RectangleLabels name="{EVIDENCE}" toName="{IMAGE}">\n    <Label value="{EVIDENCE}"/>\n  </RectangleLabels>\n'
        "</View>\n"
    ).encode()


def _task(item: ReviewItem, subject: Subject) -> dict[str, Any]:
    x, y, width, height = (100 * part for part in item.box)
    of_image = {
        "from_name": "",
        "to_name": IMAGE,
        "original_width": item.size_px[0],
        "original_height": item.size_px[1],
        "image_rotation": 0,
    }
    choice = {"type": "choices", "from_name": CHOICES, "value": {"choices": [item.label]}}
    box = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    rectangle = {
        "type": "rectanglelabels",
        "from_name": EVIDENCE,
        "value": {**box, "rectanglelabels": [EVIDENCE]},
    }
    return {
        "data": {
            IMAGE: _image_url(item.link),
            "probability": round(item.probability, 4),
            "description": item.description,
            "image_id": item.image_id,
            "uri": item.uri,
            "etag": item.etag,
            "collection": subject.collection,
            "description_set": subject.description_set,
        },
        "predictions": [
            {
                "model_version": subject.classifier,
                "score": item.probability,
                "result": [
                    {"id": name, **of_image, **result}
                    for name, result in (("label", choice), ("box", rectangle))
                ],
            }
        ],
    }


def _image_url(link: str) -> str:
    """The link, or how Label Studio serves a file of its own machine, if LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT is ``/``."""
    return link if "://" in link else f"/data/local-files/?d={quote(link.lstrip('/'))}"


def read_tasks(tasks: Sequence[Any], name: str) -> ReadFile:
    """The choices of each task's annotations; those that were skipped do not count."""
    proposals: list[Proposal] = []
    undecided = 0
    for number, task in enumerate(tasks, 1):
        place = f"task {number}"
        if not (isinstance(task, Mapping) and isinstance(task.get("data"), Mapping)):
            raise InputError(
                f"{name}: {place} has no data; export the project from Label Studio as JSON, and not as JSON-MIN"
            )
        found = [
            proposal
            for annotation in task.get("annotations") or []
            if (proposal := _read_annotation(annotation, task["data"], place))
        ]
        proposals += found
        undecided += not found
    return ReadFile(proposals, undecided)


def _read_annotation(annotation: Any, data: Mapping[str, Any], place: str) -> Proposal | None:
    """What the annotation says; None if it was skipped or chooses nothing."""
    if not isinstance(annotation, Mapping) or annotation.get("was_cancelled"):
        return None
    classes = tuple(
        read_class(choice)
        for result in annotation.get("result") or []
        if isinstance(result, Mapping) and result.get("type") == "choices"
        for choice in (result.get("value") or {}).get("choices") or []
    )
    if not classes:
        return None
    return Proposal(
        place=place,
        classes=classes,
        decided_by=_read_person(annotation.get("completed_by")),
        decided_at=read_time(annotation.get("updated_at") or annotation.get("created_at")),
        **{key: str(data.get(key) or "") for key in OF_IMAGE},
    )


def _read_person(person: Any) -> str:
    """The address of a person, or else the number that the project knows them by."""
    if isinstance(person, Mapping):
        person = person.get("email") or person.get("id")
    return "" if person is None else f"user {person}" if isinstance(person, int) else str(person)
