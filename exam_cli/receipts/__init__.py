"""Signed records of what was graded, and of who passed: made from the ledger, checked anywhere.

Everything in a receipt comes from one row of the ledger, so that a lost one is made again, byte for
byte. The formats are in-toto's statement in a DSSE envelope, and Open Badges 3.0.
"""
