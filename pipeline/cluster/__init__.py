"""The Ray that a command runs on: what it offers, what a run asks of it, and what is lost of it."""
