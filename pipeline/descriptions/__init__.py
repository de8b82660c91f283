"""Class descriptions: reading files, finding their problems, choosing the texts that are kept. Text and arrays only."""
