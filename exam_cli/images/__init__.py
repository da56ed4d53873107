"""Build the pinned images of an edition and tell which of them are here."""
