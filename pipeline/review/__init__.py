"""What people review, and the files of their tools: CSV, Label Studio, FiftyOne. It knows no lake and no store."""
