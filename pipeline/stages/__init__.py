"""Arrow in, Arrow out: what Ray Data calls on batches."""
