"""Tables, images and leases where they lie; the only place that makes a filesystem."""
