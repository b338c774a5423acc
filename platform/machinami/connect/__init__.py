"""A vendor's payload becomes changes: manifest, mapping, discovery, dry run; no I/O."""
