"""What a candidate does, end to end: the rooms put together in the order of the road.

Each function takes plain arguments and returns an object; `cli/` parses before and renders after.
"""
