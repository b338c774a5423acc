"""Stream batches become changes, and go through the linkage layer."""
