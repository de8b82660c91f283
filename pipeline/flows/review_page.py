"""The page on which a person decides images, and the requests that it makes."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.flows.review_pictures import NoPictureError, make_picture
from laketag.pipeline.flows.review_session import NotThisImageError, ReviewSession
from laketag.pipeline.pages.page import render_page


def review_page(session: ReviewSession, settings: Settings) -> Starlette:
    """The app: the page, what it shows, its pictures, and decide, skip and undo."""
    subject = session.chosen.subject
    facts = {
        "collection": subject.collection,
        "description_set": subject.description_set,
        "class_names": subject.class_names,
    }
    page = render_page("review.html", facts, styles=["review.css"], scripts=["review.js"], from_server=True)
    policy = f"{page.policy}; frame-ancestors 'none'"

    def show(_: Request) -> Response:
        return Response(page.html, media_type="text/html", headers={"content-security-policy": policy})

    def state(_: Request) -> Response:
        return JSONResponse(session.describe())

    def picture(request: Request) -> Response:
        row = session.find(request.query_params.get("image_id", ""))
        if row is None:
            return PlainTextResponse("there is no such image in this review", 404)
        try:
            content = make_picture(session.decided.lake, row, settings)
        except NoPictureError as error:
            return PlainTextResponse(str(error), 404)
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})

    async def decide(request: Request) -> Response:
        return await _change(request, lambda about: session.decide(about["image_id"], about["label"]))

    async def skip(request: Request) -> Response:
        return await _change(request, lambda about: session.skip(about["image_id"]))

    async def undo(request: Request) -> Response:
        return await _change(request, lambda _: session.undo())

    async def _change(request: Request, change: Callable[[dict[str, Any]], None]) -> Response:
        """The change is made, and the answer is what the page shows then; or it is why not, and what the page shows still."""
        reason, status = "", 200
        try:
            about = await request.json()
            await run_in_threadpool(change, about)
        except NotThisImageError:
            reason, status = "another window has decided this image", 409
        except LaketagError as error:
            reason, status = str(error), 503
        except (ValueError, KeyError, TypeError) as error:
            reason, status = f"{error}; reload the page", 400
        return JSONResponse({**session.describe(), "error": reason}, status)

    return Starlette(
        routes=[
            Route("/", show),
            Route("/state", state),
            Route("/picture", picture),
            Route("/decide", decide, methods=["POST"]),
            Route("/skip", skip, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
        ]
    )
