"""Saying what was not asked for: into the protocol's stream, into the log, in error texts."""

import contextlib
import gc
import json
import os
import pickle
import struct
import sys
import time

CHANNELS = range(3, 21)


def write_everywhere(content):
    """Write into every stream that may be open, in the hope that one is the grader's channel."""
    for descriptor in CHANNELS:
        left = memoryview(content)
        with contextlib.suppress(OSError):
            while left:
                left = left[os.write(descriptor, left) :]


def frame(header, body_bytes=0):
    """Return the start of a frame as the predictor writes it."""
    return struct.pack(">4sIQ", b"EXAM", len(header), body_bytes) + header


def question():
    """Return the header of what was asked, which lies in this process's memory."""
    for one in gc.get_objects():
        if isinstance(one, dict) and "token" in one and "contract" in one:
            return one
    raise LookupError


def signed(header):
    """Return a header with the token of the question."""
    return header[:-1] + b',"token":"' + question()["token"].encode() + b'"}'


def say(**header):
    """Write a frame without a body that has the token, and whatever else it is to have."""
    text = json.dumps({"token": question()["token"], **header}).encode()
    write_everywhere(frame(text))


def perfect():
    """Return header and body of a perfect-looking answer."""
    asked = question()
    rows = asked["tensors"][0]["shape"][0]
    shape = [rows, *asked["contract"]["output"]["shape"]]
    header = {"kind": "predictions", "dtype": "float32", "shape": shape}
    number = rows
    for size in shape[1:]:
        number *= size
    return header, struct.pack("<f", 3000.0) * number


def write_garbage(values):
    """Write noise into whatever is open."""
    write_everywhere(b"\x00\xffnoise" * 200)


def forge_metric(values):
    """Say what the scorer would say of a perfect model."""
    write_everywhere(frame(signed(b'{"kind":"metric","name":"mae","rows":3000,"value":0.0}')))


def forge_length(values):
    """Announce an answer of an exabyte."""
    write_everywhere(frame(b"{}", body_bytes=1 << 60))


def forge_fault(values):
    """Report a fault whose details have types that no honest predictor sends."""
    text = b'{"kind":"fault","reason":"wrong_input","detail":{"got":{"dtype":[],"shape":[1]}}}'
    write_everywhere(frame(signed(text)))


def answer_without_token(values):
    """Answer as if all had gone well, with no proof of having been asked."""
    header, body = perfect()
    write_everywhere(frame(json.dumps(header).encode(), len(body)) + body)


def answer_with_wrong_token(values):
    """Answer as if all had gone well, with a proof that is made up."""
    header, body = perfect()
    header["token"] = "0" * 32
    write_everywhere(frame(json.dumps(header).encode(), len(body)) + body)


def answer_twice(values):
    """Answer in the predictor's stead, and then once more with something better."""
    header, body = perfect()
    text = signed(json.dumps(header).encode())
    write_everywhere((frame(text, len(body)) + body) * 2)


def claim_other_rows(values):
    """Announce a shape that the bytes do not have."""
    header, body = perfect()
    header["shape"] = [len(body), 1]
    write_everywhere(frame(signed(json.dumps(header).encode()), 8) + body[:8])


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


def blame_the_grader(values):
    """Report what only the host can know: that the grader has failed."""
    say(kind="fault", reason="failed", status="failed", detail={"reason": "engine_unreachable"})


def say_received_again(values):
    """Begin from the beginning."""
    say(kind="received", python="3", tensorflow="99", keras="99", numpy="2")


def fill_the_header(values):
    """Send a header that is as long as headers may be."""
    text = signed(b'{"kind":"predictions"}')
    write_everywhere(frame(text[:-1] + b" " * ((64 << 10) - len(text)) + b"}"))


def overfill_the_header(values):
    """Send a header that is one byte longer than that."""
    text = signed(b'{"kind":"predictions"}')
    write_everywhere(frame(text[:-1] + b" " * ((64 << 10) + 1 - len(text)) + b"}"))


def nest_deeply(values):
    """Send a header whose parsing takes more stack than there is."""
    write_everywhere(frame(b'{"kind":' + b"[" * 65_000))


def send_huge_numbers(values):
    """Send numbers that take long to read, or are none."""
    text = b'{"kind":"predictions","shape":[1e999,NaN,-Infinity,' + b"9" * 60_000 + b"]}"
    write_everywhere(frame(signed(text)))


def send_a_pickle(values):
    """Send what a careless reader would run."""

    class Evil:
        def __reduce__(self):
            return os.system, ("echo stolen",)

    write_everywhere(frame(pickle.dumps(Evil())))


def send_yaml(values):
    """Send what a careless reader of YAML would run."""
    write_everywhere(frame(b'{"kind": !!python/object/apply:os.system ["echo stolen"]}'))


def dribble(values):
    """Begin an answer, and send a byte of it now and then."""
    write_everywhere(frame(b"{" + b" " * 1000)[:30])
    while True:
        time.sleep(0.2)
        write_everywhere(b" ")


def stop_halfway(values):
    """Begin an answer, and end."""
    header, body = perfect()
    write_everywhere(frame(signed(json.dumps(header).encode()), len(body)) + body[:99])
    os._exit(0)


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


# Of one model on the next, where one container serves several of a candidate's.


def answer_ahead(values):
    """Write, with the token of this question, what would answer the next one."""
    told = b'{"kind":"received","python":"3","tensorflow":"2","keras":"3","numpy":"1"}'
    write_everywhere(frame(signed(told)) * 2)
