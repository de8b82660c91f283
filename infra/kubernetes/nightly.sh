#!/usr/bin/env bash
# One night's work, on the head of the night's cluster: see what is in the bucket, label what is new or changed.
set -euo pipefail
settings=/etc/laketag/settings.toml
: "${LAKETAG_COLLECTION:?}" "${LAKETAG_SET:?}"  # from the head's pod, see rayjob.yaml

laketag index "s3://example-images/" --root "s3://example-lake/laketag" --collection "$LAKETAG_COLLECTION" --settings "$settings"
# A run that last night's cluster did not finish is finished first; with nothing to do this ends in seconds.
laketag label --root "s3://example-lake/laketag" --collection "$LAKETAG_COLLECTION" --set "$LAKETAG_SET" --settings "$settings"
