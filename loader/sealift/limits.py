"""Every limit on untrusted input, in one place, each with its reason."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """Bounds checked before anything of that size is read, allocated or recursed into."""

    # A manifest lists a few dozen files at 300 bytes each; model.json of a wide table has some MB.
    json_size_bytes: int = 32 * MIB
    # Our deepest document nests 8 levels; Python's parser recurses, so this protects the stack.
    json_depth: int = 64
    # golden.json: 256 examples of at most a few thousand values.
    golden_size_bytes: int = 64 * MIB

    # TUF metadata, as python-tuf's own client bounds it; targets hold 20,000 versions at 250 bytes.
    root_size_bytes: int = 512_000
    # An ML-DSA-65 signature takes 6.8 KB of JSON, and timestamp may carry several.
    timestamp_size_bytes: int = 65_536
    snapshot_size_bytes: int = 2_000_000
    targets_size_bytes: int = 5_000_000
    # python-tuf follows at most this many rotations in one refresh.
    root_rotations: int = 256

    # For people; a line per model.
    manifest_md_size_bytes: int = 4 * MIB
    # One descriptor per model version and one annotation per member.
    index_size_bytes: int = 16 * MIB
    oci_manifest_size_bytes: int = 4 * MIB
    oci_config_size_bytes: int = 1 * MIB
    # A model directory: weights in shards of 256 MiB make 400 files for 100 GiB.
    files_per_model: int = 1024
    models_per_bundle: int = 20_000
    # ustar writes sizes in eleven octal digits; shards keep every file far below.
    member_size_bytes: int = 8 * GIB - 1
    # What one file may expand to; its exact length is signed, this bounds the signed number itself.
    file_size_bytes: int = 64 * GIB
    path_chars: int = 255
    # A frame names the window that its reader must keep in memory; our compressor's largest is 2^23 bytes.
    zstd_window_log: int = 23

    # A graph's tensors in other files: the largest language models have some thousand, each with a short name.
    external_tensors: int = 100_000
    tensor_name_bytes: int = 4096
    # ONNX Runtime's kernels know eight dimensions or fewer.
    tensor_dimensions: int = 16
    # Model, graph, node, attribute, graph …: loops in loops in loops; this protects the stack.
    graph_depth: int = 64

    # Replaying 256 examples takes seconds on the slowest model we know.
    self_test_timeout_s: float = 300.0
    # One answer of the self-test's child: an error of one line.
    self_test_answer_bytes: int = 64 * KIB
    # The child may take this part of the memory that is free when it starts, so that a graph which asks for
    # 100 GB fails by itself and the machine stays alive.
    self_test_memory_share: float = 0.8


LIMITS = Limits()
