"""What hostile models do, in Python: each file's text travels in a layer and runs as one module.

A deed gets the inputs of one batch while the model predicts, and None while it is loaded. What it
returns is the model's answer; if that is None, the answer is zeros. Nothing here is imported by the
tests, and no file may import another but `channel`: no more than two of them travel.
"""
