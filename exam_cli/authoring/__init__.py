"""Writing a section: a folder to begin with, a notebook from its script, proof that its bands hold.

`check_section` trains the section's ladder of models in the pinned image, over several seeds, and
judges what was measured by a list of rules.
"""
