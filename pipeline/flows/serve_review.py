"""Letting a person decide images on a page of this machine: choose → serve, until a signal ends it."""

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.choose_for_review import choose_for_review
from laketag.pipeline.flows.review_page import review_page
from laketag.pipeline.flows.review_request import ReviewRequest
from laketag.pipeline.flows.review_session import ReviewSession
from laketag.pipeline.lake.decisions import Decided, hold_review
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.pages.local_server import LocalServer
from laketag.pipeline.screen import Screen


def serve_review(
    lake: Lake, request: ReviewRequest, settings: Settings, work: tuple[LocalServer, str, Screen]
) -> None:
    """A person has decided the images of the request, each of which is in the lake as soon as the page shows the next one."""
    server, reviewer, screen = work
    chosen = choose_for_review(lake, request)
    subject = chosen.subject
    if chosen.rows.is_empty():
        screen.say(
            f"nothing is left to review of collection {subject.collection}, set {subject.description_set}"
        )
        return
    decided = Decided(lake, subject.collection, subject.description_set)
    with hold_review(lake, screen.say) as lease:
        session = ReviewSession(decided, chosen, reviewer, lease.check)
        screen.say(
            f"{chosen.rows.height:,} images of collection {subject.collection}, set {subject.description_set}, to be decided by "
            f"{reviewer}; open this page, and end with Ctrl-C:"
        )
        screen.say(server.url, whole=server.url)
        server.run(review_page(session, settings))
