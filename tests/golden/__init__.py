"""Numbers of the released ABS code, and the command that compares ours with them."""
