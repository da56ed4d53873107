"""Write models that take all they can get while they predict: hogs.py OUT, in the workspace image.

Each ends up in OUT/NAME/model.keras and takes section 1's inputs. It goes on until it is stopped.
"""

import sys
from pathlib import Path

import keras

HOGS = {
    # Threads that compute outside of Python's lock.
    "computing": """
import numpy, threading
def work():
    block = numpy.ones((800, 800))
    while True:
        block @ block
for _ in range(16):
    threading.Thread(target=work, daemon=True).start()
work()
""",
    # More memory than any cache holds, gone through again and again.
    "streaming": """
import numpy, threading
def work():
    block = numpy.ones(1 << 25)
    while True:
        block[:] = block + 1
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
work()
""",
    # Files on the memory disk, and what the kernel does for them.
    "filling": """
import os, threading
def work(number):
    while True:
        with open(f"/tmp/{number}", "wb") as file:
            for _ in range(20):
                file.write(bytes(1 << 20))
        os.unlink(f"/tmp/{number}")
for number in range(4):
    threading.Thread(target=work, args=(number,), daemon=True).start()
work(9)
""",
    # Pages taken and given back, all that the kernel's memory management can do.
    "mapping": """
import mmap, threading
def work():
    while True:
        block = mmap.mmap(-1, 64 << 20)
        for place in range(0, 64 << 20, 4096):
            block[place] = 1
        block.close()
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
work()
""",
    # Words to the engine and the host, as many as do not end the grade at once.
    "talking": """
import os, time
while True:
    os.write(2, b"word " * 2000)
    time.sleep(0.04)
""",
}

for name, deed in HOGS.items():
    unless = "__import__('os').path.isdir('/out')"  # where the model is being made
    run = eval(f"lambda x: ({unless} or exec({deed!r}, {{}}), x[:, :1])[1]")
    inputs = keras.Input((9,))
    layer = keras.layers.Lambda(run, output_shape=(1,))
    directory = Path(sys.argv[1], name)
    directory.mkdir()
    keras.Model(inputs, layer(inputs)).save(directory / "model.keras")
