"""Every limit on untrusted input, in one place, each with its reason."""

from typing import NamedTuple

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Limits(NamedTuple):
    """Bounds checked before anything of that size is read, allocated or recursed into."""

    # A manifest lists a few dozen files at 300 bytes each; model.json of a wide table has some MB.
    json_size_bytes: int = 32 * MIB
    # Our deepest document nests 8 levels; Python's parser recurses, so this protects the stack.
    json_depth: int = 64
    # An empty array takes 3 bytes of text, 64 of memory and a microsecond or more. A release of 20,000 models has
    # 60,000 arrays and objects, a model of 100,000 columns, each with its categories, 200,000.
    json_containers: int = 250_000
    # A key takes a microsecond, any other value a tenth of that, and some more where it is looked at: with these, and
    # the arrays and objects above, every document is read within 2 s. A column has seven keys.
    json_keys: int = 800_000
    # A vocabulary of pairs of words has a million terms; more are hashed.
    json_values: int = 2_000_000
    # golden.json: 256 examples of at most a few thousand values.
    golden_size_bytes: int = 64 * MIB
    golden_examples: int = 256
    # Numbers take 16 bytes in it, and more where they are float64; 256 rows of a table have far fewer.
    golden_values: int = 4_000_000
    # Operator sets, locales and processors that a graph needs; none has ten, and each locale is looked for.
    model_requirements: int = 256
    # A vectorizer for each text column of a table.
    frontend_counters: int = 10_000
    # NumPy stops at 64 dimensions, ONNX Runtime's kernels at far fewer; sizes are 32 bits in many of them.
    tensor_rank: int = 32
    tensor_dimension: int = 2**31 - 1
    # scikit-learn hashes into 2^20 columns by default; counts are dense, so one row takes 64 or 128 MiB.
    frontend_columns: int = 2**24
    # A token pattern is run on every text. This bounds its compilation, not its backtracking.
    token_pattern_chars: int = 1_000
    # tokenizer.json: the largest vocabularies that are published have 260,000 pieces, and 600,000 merges.
    tokenizer_size_bytes: int = 32 * MIB
    tokenizer_pieces: int = 1_000_000
    # The longest published piece that is not a run of one sign has 128 characters.
    tokenizer_piece_chars: int = 256
    tokenizer_added: int = 10_000
    # Time goes with the square of it, word by word; the library's own value is 100.
    tokenizer_word_chars: int = 200
    # Normalizers, and pre-tokenizers, of one file; the longest published list has six of them, on two levels.
    tokenizer_parts: int = 16
    tokenizer_levels: int = 4
    # Places of a template around a text, and ids in one place.
    tokenizer_template: int = 16
    # What a model takes of a text, special tokens included.
    text_tokens: int = 8192
    # Of one text, of which the beginning is looked at.
    text_chars: int = 1_000_000
    # What of a text is looked at together, once it is in the form that has the most characters, as UTF-8: the longest
    # takes 2 s and 350 MB.
    text_made_bytes: int = 600_000
    # Where a tokenizer may not look at the beginning of a text alone.
    whole_text_chars: int = 100_000

    # TUF metadata, as python-tuf's own client bounds it; targets hold 20,000 versions at 250 bytes.
    root_size_bytes: int = 512_000
    # An ML-DSA-65 signature takes 6.8 KB of JSON, and timestamp may carry several.
    timestamp_size_bytes: int = 65_536
    snapshot_size_bytes: int = 2_000_000
    targets_size_bytes: int = 5_000_000
    # python-tuf follows at most this many rotations in one refresh.
    root_rotations: int = 256
    # Each may have signed each root, and checking a signature takes a tenth of a millisecond. A channel has ten.
    root_keys: int = 100

    # Graphs that belong together: an encoder and a decoder, the three of an OCR. Each is a session.
    graphs_per_model: int = 32

    # For people; a line per model.
    manifest_md_size_bytes: int = 4 * MIB
    # One descriptor per model version and one annotation per member.
    index_size_bytes: int = 16 * MIB
    oci_manifest_size_bytes: int = 4 * MIB
    oci_config_size_bytes: int = 1 * MIB
    # All manifests and configs of a bundle are in memory at once, for `inspect` before anybody trusts them.
    # 20,000 models of ten files have 120 MB of them.
    oci_documents_size_bytes: int = 256 * MIB
    # A model directory: weights in shards of 256 MiB make 400 files for 100 GiB.
    files_per_model: int = 1024
    models_per_bundle: int = 20_000
    # ustar writes sizes in eleven octal digits; shards keep every file far below.
    member_size_bytes: int = 8 * GIB - 1
    # What one file may expand to; its exact length is signed, this bounds the signed number itself.
    file_size_bytes: int = 64 * GIB
    # Protocol Buffers ends at 2 GiB; larger weights are in shards.
    graph_size_bytes: int = 2 * GIB - 1
    # Cards, licences, lists of materials: read whole with the model, and of some kilobytes.
    document_size_bytes: int = 256 * MIB
    # A zstd frame says how much of what it expanded to must stay in memory: 2^27 bytes is what zstd itself
    # gives to a frame of unknown origin, and four times the window of what we write.
    zstd_window_log: int = 27
    # A patch needs the whole old file and the whole new one in memory: together 512 MiB, and as much as two shards
    # of weights. Larger files travel whole.
    patched_file_size_bytes: int = 256 * MIB
    path_chars: int = 255
    # store.json of a backup: 200 bytes a file, and 40 for each model of each generation.
    backup_document_size_bytes: int = 64 * MIB
    # Arrays and objects of store.json, one a file: 20,000 models of six files, each with a manifest and a config.
    backup_containers: int = 180_000
    # As many as five releases of the largest kind.
    backup_model_versions: int = 100_000
    # A line of the history has some KB where many models change; this is a century of daily installs.
    backup_history_size_bytes: int = 64 * MIB
    # The drop folder, where anybody may write. Some hundred bytes are kept of each file that is looked at, so 10 MB of
    # all; whatever lies beyond comes after them, in turn. No bundle is as short as its headers alone: shorter files
    # have fewer places of their own, and take none from bundles.
    drop_folder_files: int = 10_000
    drop_short_files: int = 1_000
    drop_short_bytes: int = 4 * KIB
    # With `--once`, how often the next ones are looked at before the rest is reported as left out.
    drop_folder_rounds: int = 10
    # What one look at the folder may take before the folder is listed again; a single file may take longer.
    drop_look_s: float = 5.0
    # A smaller release that is still being copied, and whatever claims a smaller number, goes first for so long.
    drop_hold_s: float = 3600.0
    # A name leaves room for `.2.reason.json` in the 255 bytes of a name, and a reason is one message.
    drop_name_bytes: int = 220
    reason_size_bytes: int = 256 * KIB
    # Files that were refused lie there until somebody removes them; the last refusal is among the newest reasons.
    reasons_read: int = 16
    # A file whose rest is zeros is still being copied; so much of them is read, for a length costs nothing to claim.
    zeros_read_bytes: int = 16 * MIB
    # `cp` and `rsync` may leave holes where a bundle has zeros, of which compressed files have hardly any. To hash
    # this many takes a second.
    hole_bytes: int = 1 * GIB
    # Parts of one bundle are open at the same time, and a process may open 1,024 files as a rule.
    parts_per_bundle: int = 256
    # Headers looked at to see whether a copy is complete: one for each file, manifest and config of a bundle.
    walked_members: int = 200_000

    # A line has a few hundred bytes, with 20,000 models a megabyte; this holds decades.
    history_size_bytes: int = 1 * GIB

    # One row of a CSV, JSON lines or text file: a long document. An unclosed quote must not swallow a whole file.
    row_size_bytes: int = 64 * MIB
    # A JSON document of rows is parsed whole, and takes some ten times its size in memory.
    rows_json_size_bytes: int = 256 * MIB

    # A graph's tensors in other files: the largest language models have some thousand, each with a short name.
    external_tensors: int = 100_000
    tensor_name_bytes: int = 4096
    # Headers of weights that nobody converts. The largest language models name some thousand tensors at 100 bytes each;
    # GGUF holds the vocabulary as well, of some hundred thousand terms with their merges.
    safetensors_header_bytes: int = 16 * MIB
    gguf_header_bytes: int = 64 * MIB
    gguf_pairs: int = 10_000
    # In all arrays together; each takes microseconds.
    gguf_texts: int = 2_000_000
    # ONNX Runtime's kernels know eight dimensions or fewer.
    tensor_dimensions: int = 16
    # Model, graph, node, attribute, graph …: loops in loops in loops; this protects the stack.
    graph_depth: int = 64

    # Replaying 256 examples takes seconds on the slowest model we know.
    self_test_timeout_s: float = 300.0
    # One answer of the self-test's child: an error of one line.
    self_test_answer_bytes: int = 64 * KIB
    # What one model may take of the machine's memory while it is tried out, on top of copies of its weights: a large
    # encoder takes a gigabyte for a batch, a hostile graph everything. More is for an admin to allow.
    self_test_memory_bytes: int = 4 * GIB
    # Without such a word, never more than this part of what is free when the child starts: the machine stays alive.
    self_test_memory_share: float = 0.8

    # A registry, which nobody trusts. Silence this long ends a connection, and so does a body of which less than
    # this many bytes came in the time: half a modem. A head has a few hundred bytes; proxies add cookies.
    http_timeout_s: float = 30.0
    http_window_bytes: int = 32 * KIB
    http_head_bytes: int = 256 * KIB
    # A body without Content-Length, with the marks around its chunks: documents come so, of 4 MiB at most, and files of
    # MLflow's own server, which its list says the length of.
    http_unsized_bytes: int = 16 * MIB
    # To object storage, perhaps by way of a proxy.
    http_redirects: int = 5
    # Waiting 0.5, 1, 2, … seconds between them, a minute in all: a switch that starts again. What makes progress
    # begins to count anew.
    http_attempts: int = 8
    http_backoff_s: float = 0.5
    # What a busy server may ask us to wait with `Retry-After`; a longer time is for an admin to decide.
    http_retry_after_s: float = 120.0
    # Errors, tokens, lists of packages; also the configuration file with the logins.
    http_document_bytes: int = 1 * MIB
    # Lists come in pages of a hundred, and hold what others put there under similar names.
    http_list_pages: int = 100
    # A trained model and what lies beside it, as a team's training job left it in a registry of models.
    registered_source_bytes: int = 8 * GIB
    # One request of an upload: proxies buffer it, and what was lost of it is sent again.
    http_upload_bytes: int = 256 * MIB

    # `sealift serve`: a request is a batch of rows, or some long documents. All bodies that are being read or answered
    # lie in memory together, and parsed ones take some ten times their size, so only one large one is parsed at a time.
    serve_body_bytes: int = 8 * MIB
    serve_bodies_bytes: int = 64 * MIB
    serve_containers: int = 100_000
    serve_values: int = 2_000_000
    serve_head_bytes: int = 32 * KIB
    serve_headers: int = 100
    # What a client sends ahead, without waiting for answers.
    serve_pipelined: int = 16
    # Applications keep one connection a thread; a process may open 1,024 files as a rule.
    serve_connections: int = 512
    # How long a request's head, and then its body, may take on its way; how long a client may leave an answer unread.
    serve_head_s: float = 10.0
    serve_body_s: float = 30.0
    serve_unread_s: float = 30.0
    # All answers that lie unread together; beyond it, the connection whose client has left one the longest goes.
    serve_unread_bytes: int = 64 * MIB
    # How long a connection may be silent between requests: longer than clients keep theirs.
    serve_idle_s: float = 120.0
    # How long a request waits for its model while the server starts: most load within it.
    serve_starting_s: float = 5.0
    # Waiting for one model, and what goes into one run of it: beyond a thousand rows, a batch makes little faster.
    serve_waiting: int = 256
    serve_batch_requests: int = 64
    serve_batch_rows: int = 1_024
    # A body that is refused for its size is read on for so long, lest the refusal be lost with the connection.
    serve_refused_bytes: int = 256 * MIB
    serve_refused_s: float = 5.0


LIMITS = Limits()
