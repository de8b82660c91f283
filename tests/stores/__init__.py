"""Real stores for tests: a folder, moto, a Ceph gateway, and a proxy that breaks answers on request."""
