"""What a registry's refusal means: the engine passes its words on, and they say who must do what.

The words are those of engines 20.10 to 28 and of the registries that follow the distribution
specification (https://github.com/opencontainers/distribution-spec, "Error Codes").
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from docker.errors import APIError, DockerException

from exam_cli.errors import DiskFull, ExamError

# In order: the first that is found in the words is the reason.
_SIGNS = (
    ("disk_full", r"no space left on device"),
    (
        "registry_denied",
        r"denied|unauthorized|authentication required|no basic auth|forbidden|\b40[13]\b",
    ),
    ("not_there", r"manifest unknown|manifest for .* not found|not found|name unknown|\b404\b"),
    (
        "registry_unreachable",
        r"connection refused|no such host|timeout|timed out|network is unreachable|no route|"
        r"HTTP response to HTTPS|x509|connection reset|EOF|dial tcp",
    ),
)
_SENTENCES = {
    "disk_full": "The engine's disk is full: free some space and run the same again.",
    "registry_denied": "You may not have {name} from {host}, or send it there: `docker login` as "
    "somebody who may, and run the same again.",
    "not_there": "{host} has no {name}: ask again for the reference, with its digest.",
    "registry_unreachable": "No registry answers at {host} ({words}): check the name and the "
    "network, and run the same again.",
    "registry_failed": "The engine did not take what {host} has as {name}: {words}.",
}


def host_of(reference: str) -> str:
    """Return the registry that a reference names, in words; without one it is the engine's own."""
    first, _, rest = reference.partition("/")
    named = rest and ("." in first or ":" in first or first == "localhost")
    return first if named else "the engine's own registry"


class RegistryError(Exception):
    """What an engine told in the middle of a transfer."""


def sentence_for(words: str, reference: str) -> ExamError:
    """Return what to tell of a transfer that failed with these words."""
    reason = next(
        (name for name, sign in _SIGNS if re.search(sign, words, re.IGNORECASE)), "registry_failed"
    )
    words = words.strip().rstrip(".")
    told = _SENTENCES[reason].format(name=reference, host=host_of(reference), words=words)
    return DiskFull(told) if reason == "disk_full" else ExamError(told, reason=reason)


@contextlib.contextmanager
def fault_of(reference: str) -> Iterator[None]:
    """Turn what a transfer raises into its sentence; that the engine is gone others tell."""
    try:
        yield
    except RegistryError as error:
        raise sentence_for(str(error), reference) from error
    except APIError as error:
        raise sentence_for(str(error.explanation or error), reference) from error
    except DockerException as error:  # a credential helper that is missing or fails, say
        raise ExamError(
            f"The login for {host_of(reference)} cannot be used ({error}): `docker login` again.",
            reason="registry_denied",
        ) from error
