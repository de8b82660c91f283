#!/usr/bin/env bash
# One night on EC2, for a crontab: the cluster of `ray up` comes, does the night's work and goes. Run it from a rendered copy
# (infra/render.sh), with ray and laketag on PATH, RAY_AUTH_MODE=token, and the token where docs/cluster.md puts it.
set -euo pipefail
infra=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cluster=$infra/../ray_cluster.yaml
root=s3://example-lake/laketag
collection=${LAKETAG_COLLECTION:-photos}
set=${LAKETAG_SET:-objects}
port=18265  # not 8265, where somebody's own tunnel may stand
patience_s=${LAKETAG_TUNNEL_PATIENCE_S:-120}

mkdir -p ~/.laketag
exec 9> ~/.laketag/nightly.lock
if ! flock --nonblock 9; then
  echo "an earlier night is still under way and holds ~/.laketag/nightly.lock; this one does nothing" >&2
  exit 1
fi

ray up "$cluster" --yes --no-restart  # finds the cluster standing, or makes it

# In a session of its own: `ray dashboard` leaves its ssh behind when it is ended alone, and the port with it.
SECONDS=0
setsid ray dashboard "$cluster" --port "$port" </dev/null 9>&- &
tunnel=$!
trap 'kill -- "-$tunnel" 2>/dev/null || true' EXIT
until curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port/api/gcs_healthz"; do
  if ! kill -0 "$tunnel" 2>/dev/null || ((SECONDS > patience_s)); then
    echo "no tunnel to the head's dashboard after $patience_s s, or it has ended; what ray dashboard said is above" >&2
    exit 1
  fi
  sleep 1
done

submit() {
  laketag submit --address "http://127.0.0.1:$port" --settings "$infra/kubernetes/settings.toml" -- "$@"
}
submit index s3://example-images/ --root "$root" --collection "$collection"
submit describe "$infra/kubernetes/classes.json" --root "$root" --set "$set"
submit label --root "$root" --collection "$collection" --set "$set"

# Not reached by a night that fails: its cluster stays, so that its logs can be read. Without this line it stays for the day.
ray down "$cluster" --yes
