"""What is ours under a lake's root: tables, snapshots, plans, runs, and the queries over them."""
