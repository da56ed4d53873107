"""The hostile models, each with the verdict that it must meet.

What they do stands, under the attack's name, in `deeds/` (Python), `operations.py`, `endings.py`
and `bent.py` (SavedModels) and `gadgets.py` (configurations, HDF5 and zip files); `make.py` writes
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.attacks.collection import Attack, Format

AT_LOAD = "_at_load"  # ends the name of what is done while a model is loaded
OF_TEXT = "_of_text"  # ends the name of what is done to the rows of section 4
QUICK = {"predict_seconds": 3}  # for what would take for ever
SMALL = {"memory_megabytes": 1024}
CODE = "code in layers and configurations"
HDF5 = "HDF5 links to other files"
OPERATIONS = "operations that read, write and run"
LABELS = "labels in reach"
FORGED = "forged result"
PARSED = "result that is parsed"
ODD = "odd numbers"
USING_UP = "using up"
CARRIED = "inputs carried out"
LEFT = "left behind"

WROTE = "wrote into the channel"
ENDED = "exit status"
RAISED = "raised an error while predicting"
LOADS_NOT = "does not load"


def python(
    name: str,
    known: str,
    reason: str | None = None,
    says: str = "",
    prints: bytes = b"",
    limits: Mapping[str, int] | None = None,
    at_load: Format | None = "h5",
    after_load: str | None = "",
) -> Iterator[Attack]:
    """Yield a deed as .keras and as .h5: in one of the formats while it is loaded.

    Args:
        at_load: in which; None for a deed that needs the rows.
        after_load: what else than `reason` comes of it there, if not the same; nothing is asked of
            sentence and log then.
    """
    formats: tuple[Format, ...] = ("keras", "h5")
    for kind in formats:
        loading = kind == at_load
        other = loading and after_load != ""
        yield Attack(
            name + AT_LOAD if loading else name,
            kind,
            known,
            after_load if other else reason,
            says="" if other else says,
            prints=b"" if other else prints,
            limits=limits or {},
        )


def graph(
    name: str,
    known: str,
    reason: str | None = None,
    says: str = "",
    prints: bytes = b"",
    limits: Mapping[str, int] | None = None,
) -> Iterator[Attack]:
    """Yield a SavedModel."""
    yield Attack(name, "savedmodel", known, reason, says=says, prints=prints, limits=limits or {})


def gadget(
    name: str,
    known: str,
    reason: str | None = "load_failed",
    formats: tuple[Format, ...] = ("keras", "h5"),
    says: str = "",
    limits: Mapping[str, int] | None = None,
) -> Iterator[Attack]:
    """Yield what needs no code, in both of Keras's formats."""
    for kind in formats:
        yield Attack(name, kind, known, reason, says=says, limits=limits or {})


HOSTILE_MODELS: tuple[Attack, ...] = (
    # Looking for labels, and for a way out. Whatever was found is printed.
    *python("look_around", LABELS, prints=b"SEEN", at_load=None),
    *python("hunt", LABELS, prints=b"FOUND", at_load=None),
    *python("search_files", LABELS, prints=b"LOOKED True LABELS []"),
    *python("read_processes", LABELS, prints=b"OTHERS []", at_load="keras"),
    *python("read_shared_memory", LABELS, prints=b"SHARED []", at_load="keras"),
    *python("read_the_question", LABELS, prints=b"MORE 0"),
    *python("call_home", LABELS, prints=b"REFUSED", at_load="keras"),
    *python("spy_on_the_wire", LABELS, prints=b"REFUSED", at_load="keras"),
    *python("break_out", CODE, prints=b"GAINED []"),
    *graph("read_files", LABELS, prints=b"READ"),
    *graph("read_files" + AT_LOAD, LABELS, prints=b"READ"),
    *graph("list_files", LABELS, prints=b"NAMES"),
    *graph("read_lines", LABELS, prints=b"LINES"),
    *graph("read_memory", OPERATIONS, "crashed", RAISED),
    *graph("read_the_question", LABELS, prints=b"MORE 0"),
    *graph("restore_a_secret", OPERATIONS, "crashed", RAISED),
    *graph("map_a_secret", OPERATIONS, prints=b"MAPPED"),
    # Forging a result.
    *python("write_garbage", FORGED, "crashed", WROTE),
    *python("forge_metric", FORGED, "wrong_output", at_load="keras"),
    *python("forge_length", FORGED, "output_overflow"),
    *python("forge_fault", FORGED, "wrong_input", at_load="keras"),
    *python("answer_without_token", FORGED, "crashed", WROTE),
    *python("answer_with_wrong_token", FORGED, "crashed", WROTE, at_load="keras"),
    *python("answer_twice", FORGED),
    *python("claim_other_rows", FORGED, "wrong_output", at_load="keras"),
    *python("blame_the_grader", FORGED, "crashed"),
    *python("say_received_again", FORGED, "wrong_output", at_load="keras"),
    *python("stop_halfway", FORGED, "crashed", ENDED),
    *python("dribble", FORGED, "timeout", limits=QUICK, at_load="keras"),
    *python("close_the_channel", FORGED, "crashed", ENDED),
    *python("swallow_the_answer", FORGED, "crashed", ENDED, at_load="keras"),
    *python("hang_up", FORGED, "timeout", limits=QUICK),
    *python("print_a_frame", FORGED, prints=b"PRINTED", at_load="keras"),
    *python("patch_the_wire", FORGED, "crashed"),
    *python("patch_the_predictor", FORGED, "wrong_output", at_load="keras"),
    *graph("write_garbage", FORGED, "crashed", WROTE),
    *graph("write_garbage" + AT_LOAD, FORGED, "crashed", WROTE),
    *graph("answer_without_token", FORGED, "crashed", WROTE),
    *graph("answer_without_token" + AT_LOAD, FORGED, "crashed", WROTE),
    *graph("forge_length", FORGED, "output_overflow"),
    *graph("print_into_the_channel", FORGED, "crashed", WROTE),
    *graph("print_a_frame", FORGED, prints=b"PRINTED"),
    *graph("debug_into_the_channel", FORGED, "crashed", RAISED),
    # A result that is read carelessly.
    *python("fill_the_header", PARSED, "wrong_output"),
    *python("overfill_the_header", PARSED, "output_overflow", at_load="keras"),
    *python("nest_deeply", PARSED, "crashed", WROTE),
    *python("send_huge_numbers", PARSED, "crashed", WROTE, at_load="keras"),
    *python("send_a_pickle", PARSED, "crashed", WROTE),
    *python("send_yaml", PARSED, "crashed", WROTE, at_load="keras"),
    *python("obey_terminal", PARSED, "crashed"),
    *graph("overfill_the_header", PARSED, "output_overflow"),
    *graph("nest_deeply", PARSED, "crashed", WROTE),
    *graph("send_a_pickle", PARSED, "crashed", WROTE),
    # The hidden inputs carried out.
    *python("talk", CARRIED, prints=b"SCORE 5 OF 5"),
    *python("raise_inputs", CARRIED, "crashed", prints=b"stolen", after_load="load_failed"),
    *python(
        "raise_too_much", CARRIED, "output_overflow", at_load="keras", after_load="load_failed"
    ),
    *python("raise_our_fault", CARRIED, "crashed", after_load="load_failed"),
    *python("raise_trap", CARRIED, "crashed", at_load="keras", after_load="load_failed"),
    *python("raise_exit", CARRIED, "crashed", ENDED, after_load="load_failed"),
    *python("carry_inputs_out", CARRIED, "wrong_input", at_load="keras"),
    # Of a .keras file the host itself knows who saved it, and believes no other.
    Attack("carry_inputs_as_version", "keras", CARRIED, "load_failed"),
    Attack("carry_inputs_as_version", "h5", CARRIED, "version_mismatch", says="Keras 3.1.0 and"),
    *python("carry_inputs_as_shape", CARRIED, "wrong_output", at_load="keras"),
    Attack("raise_inputs" + OF_TEXT, "keras", CARRIED, "crashed", section=4, prints=b"stolen"),
    *graph("raise_inputs", CARRIED, "crashed", RAISED, prints=b"stolen"),
    *graph("raise_inputs" + AT_LOAD, CARRIED, "load_failed", prints=b"stolen"),
    # Using up.
    *python("sleep_for_ever", USING_UP, "timeout", limits=QUICK),
    *python("spin", USING_UP, "timeout", limits=QUICK, at_load="keras"),
    *python("eat_memory", USING_UP, "out_of_memory", "1024 MB", limits=SMALL),
    *python("eat_shared_memory", USING_UP, "out_of_memory", limits=SMALL, at_load="keras"),
    *python("fork_bomb", USING_UP, "timeout", limits=QUICK),
    *python("thread_bomb", USING_UP, prints=b"THREADS", after_load="crashed"),
    *python("open_everything", USING_UP, prints=b"FILES Too many open files", at_load="keras"),
    *python("fill_disk", USING_UP, prints=b"DISK No space left on device"),
    *python("fill_disk_with_names", USING_UP, "timeout", limits=QUICK, at_load="keras"),
    *python("recurse", USING_UP, "crashed", ENDED),
    *python("flood_the_log", USING_UP, "output_overflow", at_load="keras"),
    *python("flood_the_channel", USING_UP, "crashed", WROTE),
    *graph("sleep_for_ever", USING_UP, "timeout", limits=QUICK),
    *graph("sleep_for_ever" + AT_LOAD, USING_UP, "timeout", limits=QUICK),
    *graph("spin", USING_UP, "timeout", limits=QUICK),
    *graph("wait_for_nobody", USING_UP, "timeout", limits=QUICK),
    *graph("eat_memory", USING_UP, "out_of_memory", "1024 MB", limits=SMALL),
    *graph("ask_for_too_much", USING_UP, "out_of_memory"),
    *graph("overflow_the_size", USING_UP, "crashed", RAISED),
    *graph("fill_disk", USING_UP, "out_of_memory"),
    *graph("flood_the_log", USING_UP, "output_overflow"),
    *graph("flood_the_log" + AT_LOAD, USING_UP, "output_overflow"),
    *graph("flood_the_channel", USING_UP, "crashed", WROTE),
    # Ending, going on, and leaving something behind.
    *python("exit_quietly", FORGED, "crashed", "exit status 0"),
    *python("kill_itself", FORGED, "crashed", ENDED),
    *python("die_of_signal", LEFT, "crashed", "exit status 139", at_load="keras"),
    *python("poke", LEFT, "crashed", ENDED, at_load="keras"),
    *python("lock_itself_in", LEFT, "crashed", ENDED),
    *python("become_another", LEFT, "timeout", limits=QUICK, at_load="keras"),
    *python("kill_the_others", LEFT, prints=b"KILLED"),
    *python("trap_signals", LEFT, "timeout", limits=QUICK, at_load="keras"),
    *python(
        "leave_process_behind",
        LEFT,
        "crashed",
        RAISED,
        b"PermissionError",
        after_load="load_failed",
    ),
    *python("leave_threads_behind", LEFT, at_load="keras"),
    *python("leave_words_behind", LEFT),
    # Of these the next model is meant, where one container serves several: see test_served.py.
    Attack("lie_in_wait", "keras", LEFT, "crashed", says=RAISED, prints=b"PermissionError"),
    Attack("answer_ahead", "keras", LEFT, "wrong_output"),
    Attack("reach_for_the_server", "keras", LEFT, None),
    Attack("hamper_the_server", "keras", LEFT, None),
    Attack("interrupt_the_server", "keras", LEFT, None),
    Attack("litter", "keras", LEFT, None),
    Attack("patch_keras", "keras", LEFT, None),
    *graph("abort", LEFT, "crashed", "exit status"),
    *graph("exit_quietly", LEFT, "crashed", "exit status 0"),
    *graph("main_operation", LEFT, "crashed", "exit status 0"),
    *graph("write_all_over", LEFT),
    # Odd answers.
    *python("answer_nan", ODD, "not_finite", at_load=None),
    *python("answer_infinity", ODD, "not_finite", at_load=None),
    *python("answer_too_large", ODD, "not_finite", at_load=None),
    *python("answer_one_number", ODD, says="every row the same", at_load=None),
    *python("answer_too_few", ODD, "wrong_output", "one prediction a row", at_load=None),
    *python("answer_too_many", ODD, "wrong_output", "one prediction a row", at_load=None),
    *python("answer_nothing", ODD, "wrong_output", "one prediction a row", at_load=None),
    *python("answer_text", ODD, "wrong_output", "must return numbers", at_load=None),
    *python("answer_objects", ODD, "wrong_output", "must return numbers", at_load=None),
    *python("answer_complex", ODD, "wrong_output", "must return numbers", at_load=None),
    *python("answer_endlessly", ODD, "wrong_output", at_load=None),
    *python("answer_two_faced", ODD, "wrong_output", at_load=None),
    *python("patch_numpy", ODD, "output_overflow"),
    *python("patch_numpy_to_lie", ODD, "wrong_output", at_load="keras"),
    *python("patch_tensorflow", ODD, "crashed"),
    *graph("answer_nan", ODD, "not_finite"),
    *graph("answer_infinity", ODD, "not_finite"),
    *graph("answer_too_large", ODD, "not_finite"),
    *graph("answer_one_number", ODD, says="every row the same"),
    *graph("answer_too_few", ODD, "wrong_output", "one prediction a row"),
    *graph("answer_too_many", ODD, "wrong_output", "one prediction a row"),
    *graph("answer_nothing", ODD, "wrong_output", "one prediction a row"),
    *graph("answer_text", ODD, "wrong_output", "must return numbers"),
    *graph("answer_complex", ODD, "wrong_output", "must return numbers"),
    *graph("answer_a_handle", ODD, "crashed"),
    *graph("answer_a_variant", ODD, "crashed"),
    *graph("answer_without_shape", ODD),
    # Operations that read, write and run.
    *graph("write_root", OPERATIONS, "crashed", RAISED),
    *graph("save_over_root", OPERATIONS, "crashed", RAISED),
    *graph("write_summaries", OPERATIONS),
    *graph("call_python", OPERATIONS, "crashed", RAISED),
    *graph("call_python_by_token", OPERATIONS, "crashed", RAISED),
    *graph("call_eager_python_by_token", OPERATIONS, "crashed", RAISED),
    *graph("debug_to_file", OPERATIONS),
    *graph("debug_to_network", OPERATIONS, "timeout", limits=QUICK),
    *graph("ask_a_data_service", OPERATIONS, "timeout", limits=QUICK),
    *graph("read_from_the_cloud", OPERATIONS, "crashed", RAISED),
    *graph("asset_outside", OPERATIONS),
    *graph("variables_outside", OPERATIONS, "load_failed"),
    *graph("operation_of_nobody", OPERATIONS, "load_failed"),
    # Bombs, and files that are not whole.
    *graph("noise", "bombs", "load_failed"),
    *graph("cut_off", "bombs", "load_failed"),
    *graph("nested_messages", "bombs", "load_failed"),
    *graph("million_nodes", "bombs"),
    *graph("million_nodes_in_a_function", "bombs", "timeout", limits=QUICK),
    *graph("constant_of_2_60", "bombs", "load_failed"),
    *graph("constant_of_2_36", "bombs", "timeout", limits=QUICK),
    *graph("function_that_calls_itself", "bombs", "load_failed"),
    *graph("signature_of_nothing", "bombs", "load_failed"),
    *graph("objects_in_a_circle", "bombs", "load_failed"),
    *gadget("shape_bomb", "bombs"),
    *gadget("compression_bomb", "bombs", "out_of_memory", ("keras",)),
    *gadget("compression_bomb", "bombs", formats=("h5",)),
    *gadget("units_without_end", "bombs", formats=("keras",)),
    *gadget("layers_without_end", "bombs", "timeout", ("keras",), limits=QUICK),
    *gadget("nested_models", "bombs"),
    *gadget("configuration_bomb", "bombs", "load_failed", ("keras",)),
    *gadget("configuration_of_brackets", "bombs", "load_failed", ("keras",)),
    # Evil in the configuration or in the file, without byte code.
    *gadget("call_a_shell", CODE),
    *gadget("call_get_file", CODE),
    *gadget("call_enable_unsafe", CODE),
    *gadget("name_a_process", CODE),
    *gadget("load_another_model", CODE),
    *gadget("lambda_as_of_old", CODE),
    *gadget("vocabulary_from_a_file", CODE),
    *gadget("external_storage", HDF5),
    *gadget("external_link", HDF5),
    *gadget("virtual_dataset", HDF5),
    *gadget("soft_link_in_a_circle", HDF5),
    *graph("version_too_long", PARSED, "load_failed"),
    *gadget("version_of_numbers", PARSED, formats=("h5",)),
    *gadget("version_too_long", PARSED, formats=("h5",)),
    *gadget("nan_weights", ODD, "not_finite"),
    Attack("exit_quietly", "h5", "code where safe_mode is not asked", "crashed"),
)
