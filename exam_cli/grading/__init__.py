"""The road of a grade: intake, preflight, predictor, check, scorer, band.

`grade.grade` is a plain function: it writes to no ledger and no terminal, so that a worker on
another machine can call it with nothing but its arguments.
"""
