"""Twins: ONNX networks with the published architectures and random weights.

    net.py      building networks: shapes, weights, parameters and operations counted
    planted.py  the answers that detectors and landmarkers are to give
    detect.py, face.py, swap.py, restore.py   the networks
    tiny.py     a few nodes for each contract, for tests
    command.py  the command line, the list of twins and the published numbers
"""
