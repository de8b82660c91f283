"""How the demo's model was trained; not installed, and no command imports it."""
