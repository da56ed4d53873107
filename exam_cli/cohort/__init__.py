"""A class graded at once: who handed in what, one row for each model, a table at the end.

Nothing here knows of sessions; a grading is the same plain function that a session uses.
"""
