"""The candidate's directory, and the container in which they work on it."""
