"""Contract of a run's frozen plan."""

import dataframely as dy


class Plan(dy.Schema):
    """One row for each image that a run has to label."""

    image_id = dy.String(primary_key=True, description="id of the image in the index")
    uri = dy.String(min_length=1, description="where the image is")
    etag = dy.String(min_length=1, description="the version that was indexed")
    size_bytes = dy.Int64(nullable=True, min=0, description="size of the encoded image in bytes, if known")
    earlier_attempts = dy.Int32(
        nullable=True,
        min=0,
        description="how often earlier runs asked the store for this version in vain, if any did",
    )
