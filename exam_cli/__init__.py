"""A self-hosted, reproducible, hands-on machine-learning exam.

The rooms and the direction of the arrows between them are described in README.md.
"""

__version__ = "0.1.0"
