"""What one seed's data shows by itself, before any model is trained on it.

Rows that stand in two sets or twice in one, hidden texts that stand in the train files, and labels
that the order of rows tells. Needs nothing but numpy 1.22 on Python 3.9.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math

import numpy as np


def row_keys(inputs):
    """Return one digest for each row of a set, over its first form by name."""
    array = inputs[sorted(inputs)[0]]
    if array.dtype == object:
        return [hashlib.sha256(text.encode("utf-8")).digest() for text in array]
    return [hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest() for row in array]


def texts_of(files):
    """Return every text that stands alone in a train file: JSON values, CSV cells, lines."""
    found = set()
    for name, content in files.items():
        if not name.endswith((".jsonl", ".csv", ".txt", ".json")):
            continue
        text = content.decode("utf-8", errors="replace")
        if name.endswith(".csv"):
            found.update(cell for row in csv.reader(io.StringIO(text)) for cell in row)
            continue
        for line in text.splitlines():
            found.add(line)
            if name.endswith((".jsonl", ".json")):
                try:
                    found.update(strings_in(json.loads(line)))
                except ValueError:
                    continue
    return found


def strings_in(value):
    """Yield all strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings_in(one)


def order_of(labels):
    """Return how far the rows' order tells about labels, in standard errors; noise is below 4.

    Looks at neighbours (lag-1 correlation) and at the place in the set (correlation with the row
    number); for classes at each class by itself.
    """
    rows = len(labels)
    if rows < 20:
        return 0.0
    if labels.dtype.kind in "iu" and labels.ndim == 1:
        columns = [labels == one for one in np.unique(labels)]
    else:
        flat = labels.reshape(rows, -1)
        columns = [flat.mean(axis=1), flat[:, 0]]
    worst = 0.0
    for column in columns:
        values = np.asarray(column, dtype=np.float64)
        for one, other in ((values[:-1], values[1:]), (values, np.arange(rows, dtype=np.float64))):
            if one.std() > 0 and other.std() > 0:
                worst = max(worst, abs(float(np.corrcoef(one, other)[0, 1])) * math.sqrt(rows))
    return worst


def look(sets, files):
    """Return what the data shows: rows that sets share, and how far the order tells of labels.

    `sets` are the hidden ones, {name: ({form: inputs}, labels)}, `files` those for candidates,
    {path: bytes}.
    """
    keys = {which: row_keys(inputs) for which, (inputs, _) in sets.items()}
    in_train = 0
    texts = [
        text
        for inputs, _ in sets.values()
        for array in inputs.values()
        if array.dtype == object
        for text in array
    ]
    if texts:
        train = texts_of(files)
        in_train = sum(text in train for text in texts)
    together = sorted({*keys["probe"], *keys["final"]})
    return {
        "rows": {which: len(labels) for which, (_, labels) in sets.items()},
        "shared": len(set(keys["probe"]) & set(keys["final"])),
        "repeated": sum(len(of) - len(set(of)) for of in keys.values()),
        "in_train": in_train,
        "order": {which: order_of(labels) for which, (_, labels) in sets.items()},
        "rows_sha256": hashlib.sha256(b"".join(together)).hexdigest(),
        "train_bytes": sum(len(content) for content in files.values()),
    }
