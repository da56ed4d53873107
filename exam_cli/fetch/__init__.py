"""Getting packages through their registries' own clients: pip for wheels, apt for Debian's.

What arrives is checked against a hash that we keep, and stays in a cache; nothing is unpacked here.
"""
