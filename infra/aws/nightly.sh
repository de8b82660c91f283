#!/usr/bin/env bash
# One night on EC2, for a crontab: starts the cluster of `ray up`, does the night's work and takes the cluster down. Run it from a
# rendered copy (infra/render.sh), with ray and laketag on PATH, RAY_AUTH_MODE=token, and the token as docs/cluster.md describes.
set -euo pipefail
infra=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cluster=$infra/../ray_cluster.yaml
port=18265  # not 8265, which a person's own tunnel may use
patience_s=${LAKETAG_TUNNEL_PATIENCE_S:-120}

mkdir -p ~/.laketag
exec 9> ~/.laketag/nightly.lock
if ! flock --nonblock 9; then
  echo "an earlier night is still running and holds ~/.laketag/nightly.lock; this one does nothing" >&2
  exit 1
fi

ray up "$cluster" --yes --no-restart  # uses the running cluster, or creates it

# In a session of its own: `ray dashboard` does not end its ssh when it is ended alone, and the port would stay in use.
SECONDS=0
setsid ray dashboard "$cluster" --port "$port" </dev/null 9>&- &
tunnel=$!
trap 'kill -- "-$tunnel" 2>/dev/null || true' EXIT
until curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port/api/gcs_healthz"; do
  if ! kill -0 "$tunnel" 2>/dev/null || ((SECONDS > patience_s)); then
    echo "no tunnel to the head's dashboard after $patience_s s, or it has ended; see the output of ray dashboard above" >&2
    exit 1
  fi
  sleep 0.2
done

laketag submit --address "http://127.0.0.1:$port" --settings "$infra/kubernetes/settings.toml" -- \
  nightly "$infra/kubernetes/night.toml" --verbose

# A night that fails does not reach this line, so its cluster and its logs remain. Without this line the cluster runs all day.
ray down "$cluster" --yes
