"""Class descriptions: reading what people write, finding what is wrong with it, choosing what is kept."""
