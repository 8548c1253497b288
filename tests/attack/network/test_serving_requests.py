"""Requests that are not what they say: refused in words of their own, and the server answers on."""

import json

import pytest
from support.hostile.requests import GOOD

from sealift.errors import Error, InputError
from sealift.serving.protocol.infer_request import parse_request

# --- what a request says of itself ------------------------------------------------------------------


LIES = {
    "too large a shape": {**GOOD, "shape": [9]},
    "too small a shape": {**GOOD, "shape": [1]},
    "a negative size": {**GOOD, "shape": [-1]},
    "a size of a truth value": {**GOOD, "shape": [True, 2]},
    "a product that overflows": {**GOOD, "shape": [2**31 - 1] * 31},
    "a size beyond all": {**GOOD, "shape": [10**30]},
    "too many dimensions": {**GOOD, "shape": [1] * 40},
    "no shape": {"name": "rows", "datatype": "BYTES", "data": ["a"]},
    "a shape that is text": {**GOOD, "shape": "2"},
    "another datatype": {**GOOD, "datatype": "COMPLEX64"},
    "a datatype that is a list": {**GOOD, "datatype": ["BYTES"]},
    "a number among texts": {**GOOD, "data": ["a", 1]},
    "a text among numbers": {**GOOD, "datatype": "FP32", "data": [1, "2"]},
    "a truth value among numbers": {**GOOD, "datatype": "INT64", "data": [1, True]},
    "a fraction among integers": {**GOOD, "datatype": "INT64", "data": [1, 1.5]},
    "nothing among integers": {**GOOD, "datatype": "INT64", "data": [1, None]},
    "a number beyond its type": {**GOOD, "datatype": "INT8", "data": [1, 300]},
    "a float beyond its type": {**GOOD, "datatype": "FP32", "data": [1, 1e39]},
    "rows of two lengths": {**GOOD, "shape": [2, 2], "data": [["a"], ["b", "c", "d"]]},
    "rows within rows": {**GOOD, "shape": [2], "data": [["a"], ["b"]]},
    "data that is not an array": {**GOOD, "data": {"a": 1}},
    "no data": {"name": "rows", "datatype": "BYTES", "shape": [2]},
    "data twice": {**GOOD, "parameters": {"binary_data_size": 3}},
    "bytes that are not there": {
        "name": "rows",
        "datatype": "INT8",
        "shape": [3],
        "parameters": {"binary_data_size": 3},
    },
    "a size that is text": {"name": "rows", "datatype": "INT8", "shape": [3], "parameters": {"binary_data_size": "3"}},
    "shared memory": {"name": "rows", "datatype": "INT8", "shape": [3], "parameters": {"shared_memory_region": "x"}},
    "base64 of texts": {"name": "rows", "datatype": "BYTES", "shape": [1], "base64": "YQ=="},
    "base64 that is none": {"name": "rows", "datatype": "INT8", "shape": [1], "base64": "!"},
    "no name": {"datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
    "a misspelled key": {**GOOD, "Data": []},
    "a tensor that is a number": 5,
    "nothing": None,
}


@pytest.mark.parametrize("tensor", LIES.values(), ids=LIES.keys())
def test_a_tensor_that_is_not_what_it_says(tensor):
    with pytest.raises(InputError) as caught:
        parse_request(json.dumps({"inputs": [tensor]}).encode(), None)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], r"the request is \[\]; expected an object"),
        (None, "the request is null; expected an object"),
        ({"inputs": [{**GOOD, "shape": None}]}, "has shape null; expected a list of sizes"),
        ({"inputs": [{**GOOD, "shape": [True, 2]}]}, r"has shape \[true, 2\]; expected a list of sizes"),
        ({"inputs": [{**GOOD, "datatype": "INT64", "data": [1, None]}]}, "holds null, which is not INT64"),
        ({"inputs": [GOOD], "outputs": {"name": True}}, r"outputs are {\"name\": true}; expected an array"),
    ],
)
def test_a_refusal_speaks_of_json_in_its_own_words(request_, message):
    with pytest.raises(InputError, match=message):
        parse_request(json.dumps(request_).encode(), None)


DOCUMENTS = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"inputs": ["\xff"]}',
    "a list": b"[]",
    "no inputs": b"{}",
    "no tensor": b'{"inputs": []}',
    "inputs of a number": b'{"inputs": 1}',
    "the same input twice": json.dumps({"inputs": [GOOD, GOOD]}).encode(),
    "a key twice": b'{"inputs": [], "inputs": []}',
    "an unknown key": json.dumps({"inputs": [GOOD], "output": []}).encode(),
    "NaN": b'{"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1], "data": [NaN]}]}',
    "beyond a double": b'{"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1], "data": [1e999]}]}',
    "half a surrogate pair": b'{"inputs": [{"name": "rows", "datatype": "BYTES", "shape": [1], "data": ["\\ud800"]}]}',
    "outputs of a number": json.dumps({"inputs": [GOOD], "outputs": 1}).encode(),
    "an output twice": json.dumps({"inputs": [GOOD], "outputs": [{"name": "predict"}] * 2}).encode(),
    "shared memory": json.dumps(
        {"inputs": [GOOD], "outputs": [{"name": "predict", "parameters": {"shared_memory_region": "x"}}]}
    ).encode(),
    "classification": json.dumps(
        {"inputs": [GOOD], "outputs": [{"name": "predict", "parameters": {"classification": 3}}]}
    ).encode(),
    "an id that is a number": json.dumps({"inputs": [GOOD], "id": 1}).encode(),
    "another method": json.dumps({"inputs": [GOOD], "parameters": {"method": "__class__"}}).encode(),
    "parameters of a list": json.dumps({"inputs": [GOOD], "parameters": [1]}).encode(),
    "deep": b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "many arrays": b'{"inputs":[' + b"[]," * 150_000 + b"[]]}",
}


@pytest.mark.parametrize("body", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_that_is_no_request(body):
    with pytest.raises(Error) as caught:
        parse_request(body, None)
    assert caught.value.code in {"input", "malformed", "limit"}


@pytest.mark.parametrize(
    ("body", "size", "message"),
    [
        (b'{"inputs": []}', 99, "the body has 14 bytes"),
        (b'{"inputs": [{"name":"a","datatype":"INT16","shape":[1],"parameters":{"binary_data_size":3}}]}abc', None, "JSON"),
        (b'{"inputs": [{"name":"a","datatype":"INT16","shape":[1],"parameters":{"binary_data_size":3}}]}abc', -3, "whole number"),
        (b'{"inputs": [{"name":"a","datatype":"INT8","shape":[2],"parameters":{"binary_data_size":2}}]}abc', -3, "are left"),
        (b'{"inputs": [{"name":"a","datatype":"INT8","shape":[9],"parameters":{"binary_data_size":3}}]}abc', -3, "3 values"),
        (b'{"inputs": [{"name":"a","datatype":"BOOL","shape":[3],"parameters":{"binary_data_size":3}}]}abc', -3, "neither"),
        (b'{"inputs": [{"name":"a","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":3}}]}abc', -3, "ends within"),
        (b'{"inputs": [{"name":"a","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}\xff\xff\xff\xffab', -6, "ends within"),
        (b'{"inputs": [{"name":"a","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}]}\x01\0\0\0\xff', -5, "not UTF-8"),
    ],
)  # fmt: skip
def test_bytes_that_are_not_what_they_say(body, size, message):
    with pytest.raises(Error, match=message):
        parse_request(body, size if size is None or size > 0 else len(body) + size)
