"""Writing what a person should look at, as a file of the tool that they use: choose → link → write."""

from dataclasses import dataclass
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import describe_ending
from laketag.pipeline.flows.choose_for_review import as_item, choose_for_review
from laketag.pipeline.flows.review_request import ReviewRequest
from laketag.pipeline.images.image_locations import EMBEDDED
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.review.formats import ReviewFormat, write_files
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.schemes import normalise_url
from laketag.pipeline.store.signed_urls import sign_url


@dataclass(frozen=True, kw_only=True)
class ReviewOutReport:
    """What was written."""

    collection: str
    description_set: str
    images: int
    without_link: int
    """Chosen images inside tables, which no link reaches."""
    files: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**describe_ending("review out"), **vars(self)}


def review_out(
    lake: Lake, request: ReviewRequest, target: tuple[str, ReviewFormat], source: StorageSettings
) -> ReviewOutReport:
    """The file of that name and format holds the chosen images, with links to them."""
    name, chosen_format = target
    chosen = choose_for_review(lake, request)
    items = []
    rows = chosen.rows.rows(named=True)
    for row in rows:
        if not EMBEDDED.fullmatch(row["uri"]):
            uri = row["uri"]
            link = sign_url(uri, source, request.signed_for) if request.signed_for else uri
            items.append(as_item(row, link))
    files = write_files(normalise_url(name), chosen_format, items, chosen.subject)
    for url, content in files.items():
        write_bytes(url, content, lake.storage)
    return ReviewOutReport(
        collection=chosen.subject.collection,
        description_set=chosen.subject.description_set,
        images=len(items),
        without_link=len(rows) - len(items),
        files=tuple(files),
    )
