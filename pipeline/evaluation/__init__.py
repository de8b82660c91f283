"""What results of an evaluation mean: metrics, tables and plots. It knows no model, no Ray and no lake."""
