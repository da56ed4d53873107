"""The container engine as the rest of the program sees it: a port, its Docker adapter and a fake.

Nothing outside this folder knows which engine runs; nothing but `docker.py` imports its library.
"""
