"""The stages of a run: train, search, re-measure, export, fine-tune."""
