"""Pages and papers."""
