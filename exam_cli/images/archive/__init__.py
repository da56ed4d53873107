"""One file that takes an edition to a machine without a network: images, data sources, locks.

It is a plain tar, see `manifest.py`. `writing.py` makes one, `reading.py` believes nothing of one,
`installing.py` hands to the engine and the cache what was found to be as it says.
"""
