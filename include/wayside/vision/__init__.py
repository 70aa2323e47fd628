"""Vision: model cards, ONNX Runtime sessions, the one decoder, detectors and the stream that feeds them.

The modules here import OpenCV and ONNX Runtime. Nothing that is read while a DAG is parsed may import them: import
them inside `execute`, or inside the function that uses them.
"""
