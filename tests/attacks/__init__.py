"""Hostile and broken submissions, each with the verdict that it must meet.

`collection.py` says what an attack is and what is known of attacks; `models.py` lists those that
are models, which `make.py` writes inside the workspace image; `submissions.py` lists, and makes,
those whose evil is in files, directories and archives. `test_attacks.py` grades them all.
"""
