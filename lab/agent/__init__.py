"""The lab's node agent: runs the pods that the scheduler bound to the lab's nodes, without a container engine.

A container whose image is in `images.IMAGES` becomes a real process in a bubblewrap root; any other is reported
running. Run it with `python -m lab.agent`.
"""
