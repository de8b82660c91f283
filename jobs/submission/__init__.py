"""What `laketag submit` and `laketag jobs` share."""
