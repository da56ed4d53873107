"""One candidate sitting one exam: where its record lies, its clock, and the ledger of its events.

The ledger is the only truth about attempts and scores; everything else here finds or times it.
"""
