"""Frames into the channel that no honest predictor sends: forged results, traps for the reader."""

import json
import os
import pickle
import time

from channel import frame, perfect, say, signed, write_everywhere


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


def answer_ahead(values):
    """Write, with the token of this question, what would answer the next one."""
    told = b'{"kind":"received","python":"3","tensorflow":"2","keras":"3","numpy":"1"}'
    write_everywhere(frame(signed(told)) * 2)
