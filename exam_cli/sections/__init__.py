"""Find the sections that exist; turn a section's sources and a secret seed into its data."""
