"""Documents that are signed and still wrong."""

import numpy as np
from support.release.channel_simulator import renamed, toy_files

from sealift.errors import (
    DigestError,
    LimitError,
    MalformedError,
    UnsafeMemberError,
    UnsupportedVersionError,
)

FORM = (MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError)


RAW = {
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "a list": lambda raw: b"[" + raw + b"]",
    "a string": lambda _: b'"x"',
    "cut short": lambda raw: raw[:-1],
    "something behind": lambda raw: raw + b"{}",
    "a key twice": lambda raw: raw[:-1] + b',"schemaVersion":2,"schemaVersion":2}',
    "a key twice, once escaped": lambda raw: raw[:-1] + b',"\\u0061":1,"a":1}',
    "NaN": lambda raw: raw[:-1] + b',"x":NaN}',
    "Infinity": lambda raw: raw[:-1] + b',"x":-Infinity}',
    "1e999": lambda raw: raw[:-1] + b',"x":1e999}',
    "-1e999": lambda raw: raw[:-1] + b',"x":-1e999}',
    "a number of 5,000 digits": lambda raw: raw[:-1] + b',"x":' + b"9" * 5000 + b"}",
    "deep nesting": lambda raw: raw[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep nesting that never ends": lambda raw: raw[:-1] + b',"x":' + b'{"a":' * 100_000,
    "half a surrogate pair": lambda raw: raw[:-1] + b',"x":"\\ud800"}',
    "half a surrogate pair as a key": lambda raw: raw[:-1] + b',"\\udfff":1}',
    "not UTF-8": lambda raw: raw[:-1] + b',"x":"\xff"}',
    "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "a NUL": lambda raw: raw + b"\0",
    "a control character": lambda raw: raw[:-1] + b',"x":"\x01"}',
    "a comment": lambda raw: raw + b"/* hello */",
    "a comma too many": lambda raw: raw[:-1] + b",}",
}


def model_json():
    return renamed(toy_files(), "toy", "1.0.0")["model.json"]


def v2_tensor(values, datatype="FP32", name="rows"):
    array = np.asarray(values)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}
