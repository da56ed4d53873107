"""What people wait for, measured side by side with the naive way; `python -m bench.run --help`.

Each part is a module that returns rows; `store` keeps them, `table` writes bench/results/latest.md.
"""
