#!/usr/bin/env bash
# LiteRT's new CompiledModel takes and gives tensors of another type, or a part of one, and reads bytes for numbers.
#
# Meets:     ai_edge_litert.compiled_model, an int8 model, a program that has floats
# Expected:  An error, as from Interpreter of the same package, or a conversion by the model's scale.
# Happens:   TensorBuffer.read(number, dtype) hands out the tensor's bytes as that dtype: int8 outputs read as float32
#            are numbers such as 1e-15, and read as int32 they are a quarter as many. TensorBuffer.write takes whatever
#            is not longer in bytes: int32 in an int8 tensor, or the first half of an input, behind which the former one
#            still stands. Only what is too long is refused. The docstring promises an error for an unsupported dtype.
# Seen with: ai-edge-litert 2.3.0, Python 3.11.7
# Known:     no report of it was found
# Output:    Interpreter takes int32 for int8: ValueError
#            Interpreter takes half of a tensor: ValueError
#            CompiledModel takes int32 for int8: no error
#            CompiledModel takes half of a tensor: no error, and the former second half
#            int8 outputs 1, 2, 3, 4 ... read as float32: 1.5e-36, read as int32: 67305985
#            as seen: CompiledModel checks neither type nor shape
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6

cat > "$folder/tensors.py" <<'PYTHON'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

SIZE = 64


def rectifier() -> bytes:
    """A .tflite with one int8 operator that leaves what is above 0 as it is."""
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    graph.tensors = []
    for name in ("input", "output"):
        tensor, steps = schema.TensorT(), schema.QuantizationParametersT()
        steps.scale, steps.zeroPoint = [0.05], [0]
        tensor.name, tensor.shape, tensor.type, tensor.quantization = name, [1, SIZE], schema.TensorType.INT8, steps
        graph.tensors.append(tensor)
    graph.inputs = operator.inputs = [0]
    graph.outputs = operator.outputs = [1]
    graph.operators = [operator]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    code.version = 2
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def told(action) -> str:
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "no error"


model = rectifier()
values = np.arange(1, SIZE + 1, dtype=np.int8).reshape(1, SIZE)
wide, half = np.zeros((1, SIZE // 4), np.int32), np.full((1, SIZE // 2), 100, np.int8)

interpreter = Interpreter(model_content=model)
interpreter.allocate_tensors()
index = interpreter.get_input_details()[0]["index"]
known = [told(lambda: interpreter.set_tensor(index, it)) for it in (wide, half)]
print("Interpreter takes int32 for int8:", known[0])
print("Interpreter takes half of a tensor:", known[1])

compiled = CompiledModel.from_buffer(model)
inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)


def run() -> np.ndarray:
    compiled.run_by_index(0, inputs, outputs)
    return outputs[0].read(SIZE, np.int8)


inputs[0].write(values)
assert np.array_equal(run(), values[0])
as_float, as_int = outputs[0].read(4, np.float32), outputs[0].read(4, np.int32)
new = [told(lambda: inputs[0].write(it)) for it in (wide, half)]
inputs[0].write(values)
inputs[0].write(half)
mixed = run()
kept = (mixed[: SIZE // 2] == 100).all() and (mixed[SIZE // 2 :] == values[0, SIZE // 2 :]).all()
print("CompiledModel takes int32 for int8:", new[0])
print("CompiledModel takes half of a tensor:", new[1] + (", and the former second half" if kept else ""))
print(f"int8 outputs 1, 2, 3, 4 ... read as float32: {as_float[0]:.2g}, read as int32: {as_int[0]}")
bits = np.array_equal(as_int, values[0, :16].view(np.int32)) and np.array_equal(as_float, as_int.view(np.float32))
if known == ["ValueError"] * 2 and new == ["no error"] * 2 and kept and bits:
    print("as seen: CompiledModel checks neither type nor shape")
else:
    raise SystemExit("changed: expected errors from Interpreter and none from CompiledModel, saw the lines above")
PYTHON
"$folder/venv/bin/python" "$folder/tensors.py" 2> "$folder/errors" || { tail -n 3 "$folder/errors"; exit 1; }
