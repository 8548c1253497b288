"""The runtime that MLServer asks: the same model of the same store, called as `sealift serve` calls it."""

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse, ResponseOutput

import sealift

_DATATYPES = {"float64": "FP64", "int64": "INT64"}


class Triage(MLModel):
    async def load(self) -> bool:
        self._model = sealift.load("triage", threads=1)
        return True

    async def predict(self, payload):
        rows = StringCodec.decode_input(payload.inputs[0])
        answers = self._model.answers(self._model.description.methods, rows)
        outputs = [
            ResponseOutput(
                name=name,
                shape=list(values.shape),
                datatype=_DATATYPES.get(values.dtype.name, "BYTES"),
                data=values.ravel().tolist(),
            )
            for name, values in answers.items()
        ]
        return InferenceResponse(
            id=payload.id, model_name=self.name, model_version=self._model.version, outputs=outputs
        )
