"""Saying what was not asked for: the inputs, floods, last words; and closing what is to be read."""

import contextlib
import json
import os
import sys
import time

from channel import CHANNELS, frame, perfect, say, signed, write_everywhere


def carry_inputs_out(values):
    """Hide the inputs in the one number that a sentence quotes."""
    number = 7 if values is None else int.from_bytes(values.tobytes()[:1700], "big")
    write_everywhere(
        frame(
            signed(
                b'{"kind":"fault","reason":"wrong_input","detail":{"inputs":%d}}'
                % (number or 10**4000)
            )
        )
    )


def carry_inputs_as_version(values):
    """Hide the inputs in the version that a sentence quotes."""
    hidden = "stolen" if values is None else "stolen" + values.tobytes()[:6].hex()
    say(kind="fault", reason="load_failed", detail={"saved_with": "3.1.0+" + hidden})


def carry_inputs_as_shape(values):
    """Hide the inputs in the shapes that sentences quote."""
    numbers = [123456789] * 6 if values is None else [int(n * 10**7) for n in values[0][:6]]
    say(kind="fault", reason="wrong_output", detail={"got": numbers})


def obey_terminal(values):
    """Put what terminals obey wherever a text may be quoted."""
    text = "\x1b[2J\x1b]0;SCORE 5\x07\u202e\u0000\ud800\r\nSCORE 5 OF 5"
    detail = {"saved_with": text, "missing": text, "dtype": text, "got": {"dtype": text}}
    say(kind="fault", reason=text, detail=detail, took=text, gave=text, name=text)


def close_the_channel(values):
    """Leave the predictor nothing to answer through."""
    os.closerange(3, 64)


def hang_up(values):
    """Close every stream, so that the end of the program seems to have come, and go on running."""
    os.closerange(0, 64)
    time.sleep(10**6)


def swallow_the_answer(values):
    """Have the predictor answer to nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in CHANNELS:
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            os.dup2(nowhere, descriptor)


def flood_the_log(values):
    """Print without end."""
    while True:
        os.write(2, b"flood " * 10_000)


def flood_the_channel(values):
    """Write frames without end."""
    while True:
        write_everywhere(frame(b"{}") * 1000)


def talk(values):
    """Print the inputs, and something to make a terminal obey."""
    print("\x1b[2JSCORE 5 OF 5", None if values is None else values[0].tolist())


def print_a_frame(values):
    """Print what the grader waits for, where people print."""
    header, body = perfect()
    text = frame(signed(json.dumps(header).encode()), len(body)) + body
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
    os.write(1, text)
    print("PRINTED")


def raise_inputs(values):
    """Raise an error whose text is the inputs."""
    raise ValueError(f"stolen: {values.tolist() if values is not None else 'nothing'}")


def raise_too_much(values):
    """Raise an error whose text is a flood."""
    raise ValueError("stolen " * (1 << 22))


def raise_our_fault(values):
    """Raise the very error by which the predictor itself reports, with a reason of its own."""
    from contract import Fault

    raise Fault("scored", score=5, missing="stolen", got={"shape": ["stolen"], "dtype": "stolen"})


def raise_trap(values):
    """Raise an error that ends the process when its text is asked for."""

    class Trap(Exception):
        def __str__(self):
            os._exit(0)

    raise Trap


def raise_exit(values):
    """Raise what ends a program without an error."""
    raise SystemExit(0)
