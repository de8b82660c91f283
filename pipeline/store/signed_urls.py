"""URLs by which anybody reads one object for some time, signed with the credentials of this process."""

from datetime import timedelta

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import LOOK
from laketag.pipeline.store.s3_buckets import bucket_access
from laketag.pipeline.store.s3_clients import open_botocore
from laketag.pipeline.store.schemes import has_buckets, has_fast_reads, open_bucket

LONGEST = timedelta(days=7)
"""Of signatures of S3 and Google Cloud Storage (version 4). Those with temporary credentials end with these."""


def sign_url(url: str, storage: StorageSettings, valid: timedelta) -> str:
    """A URL by which the object is read without credentials for that time; other URLs and local paths as they are."""
    location = parse_url(url)
    if location.is_local or not has_buckets(location):
        return url
    if storage.anonymous:
        raise SettingsError(
            f"{url}: nothing can be signed without credentials; set storage.anonymous = false"
        )
    with store_errors(url):
        if not has_fast_reads(location):
            client = open_botocore(bucket_access(location.bucket, storage), LOOK, "s3v4")
            named = {"Bucket": location.bucket, "Key": location.key}
            return str(client.generate_presigned_url("get_object", named, int(valid.total_seconds())))
        import obstore

        return obstore.sign(open_bucket(location, storage, LOOK), "GET", location.key, valid)
