"""The local launcher: a Rowhouse cluster and a training job on one machine.

It starts servers and workers as separate processes, starts again what died where that is sound,
reports, and leaves no process behind. Python's standard library only.
"""
