"""From scores to labels one can trust: arrays in, arrays out; knows no model, no Ray and no lake."""
