#!/usr/bin/env bash
# Installs and starts Prometheus on the head of `ray up` (Ubuntu or Debian), with this folder's rules, on loopback. Run it again after a
# change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

sudo apt-get update -qq
sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus
sudo install -m 644 prometheus.yml alerts.yml /etc/prometheus/
echo 'ARGS="--web.listen-address=127.0.0.1:9090"' | sudo tee /etc/default/prometheus >/dev/null
# The package's service has a private /tmp, but Ray's list of nodes is in the machine's /tmp.
sudo install -d /etc/systemd/system/prometheus.service.d
printf '[Service]\nPrivateTmp=false\n' | sudo tee /etc/systemd/system/prometheus.service.d/laketag.conf >/dev/null
sudo systemctl daemon-reload
sudo systemctl restart prometheus
echo "Prometheus listens on 127.0.0.1:9090"
