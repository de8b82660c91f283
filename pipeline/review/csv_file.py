"""Reviews as CSV: one row for each image, with an empty column ``decision`` to fill in."""

import csv
import io
from collections.abc import Sequence

from laketag.pipeline.errors import InputError
from laketag.pipeline.review.items import Proposal, ReadFile, ReviewItem, Subject, read_class, read_time

COLUMNS = (
    *("link", "label", "probability", "second", "decision", "decided_by", "decided_at"),
    *("margin", "description", "uri", "image_id", "etag", "collection", "description_set"),
)
DELIMITERS = (",", ";", "\t")
"""What spreadsheets write between columns, by the language they are set to."""


def write_csv(items: Sequence[ReviewItem], subject: Subject) -> bytes:
    """The images as UTF-8 with a mark at its beginning, by which spreadsheets know it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for item in items:
        writer.writerow(
            {
                "link": item.link,
                "label": item.label,
                "probability": f"{item.probability:.4f}",
                "second": item.tags[1][0] if len(item.tags) > 1 else "",
                "margin": f"{item.margin:.4f}",
                "description": item.description,
                "uri": item.uri,
                "image_id": item.image_id,
                "etag": item.etag,
                "collection": subject.collection,
                "description_set": subject.description_set,
            }
        )
    return text.getvalue().encode("utf-8-sig")


def read_csv(text: str, name: str) -> ReadFile:
    """The rows with a decision. Of the columns only ``decision`` and ``image_id`` or ``uri`` must be there."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    columns = [column or "" for column in reader.fieldnames or []]
    if "decision" not in columns or not {"image_id", "uri"} & set(columns):
        raise InputError(
            f"{name}: has the columns {', '.join(columns) or 'none'}; a review needs decision, and image_id or uri. "
            f"Write such a file with: laketag review out --to {name}"
        )
    proposals = []
    undecided = 0
    try:
        for row in reader:
            values = {key: (row.get(key) or "").strip() for key in COLUMNS}
            if not values["decision"]:
                undecided += 1
                continue
            proposals.append(
                Proposal(
                    place=f"line {reader.line_num}",
                    classes=(read_class(values["decision"]),),
                    decided_at=read_time(values["decided_at"]),
                    **{
                        key: values[key]
                        for key in ("image_id", "uri", "etag", "decided_by", "collection", "description_set")
                    },
                )
            )
    except csv.Error as error:
        raise InputError(
            f"{name}: line {reader.line_num} is no CSV ({error}); save it as CSV again"
        ) from None
    return ReadFile(proposals, undecided)
