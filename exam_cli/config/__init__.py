"""Files that people write (edition.yaml, section.yaml, exam.yaml) as frozen, checked objects.

Every problem of a file is reported at once, with its place.
"""
