"""A server answers each request in a fork of its own, keeps others out, and ends with a bad one."""

from __future__ import annotations

import subprocess
import sys

from exam_cli.paths import resource

PROGRAM = """
import ctypes, os, sys
import serve

def open_to_inspection():
    return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE

def answer_one():
    word = os.read(0, 1)
    server.append(word)
    print(word.decode(), os.getppid() == parent, open_to_inspection(), len(server), flush=True)
    if word == b"e":
        sys.exit(3)
    if word == b"k":
        os.kill(os.getpid(), 9)

parent, server = os.getpid(), []
serve.serve(answer_one)
print("server", open_to_inspection(), len(server))
"""


def served(requests: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-sE", "-c", PROGRAM],
        input=requests,
        capture_output=True,
        text=True,
        cwd=resource("images", "programs"),
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_each_request_meets_a_fresh_process_that_others_may_look_into() -> None:
    assert served("abe")[:3] == ["a True 1 1", "b True 1 1", "e True 1 1"]


def test_a_fork_that_fails_ends_the_server_which_was_out_of_reach() -> None:
    for bad in "ek":
        told = served(f"a{bad}bc")
        assert [line[0] for line in told[:-1]] == ["a", bad]
        assert told[-1] == "server 0 0", "and nothing of a request ever got into it"
