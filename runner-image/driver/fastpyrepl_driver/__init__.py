"""The driver: what runs inside a session's container.

The supervisor (PID 1) holds the attach stream and answers the daemon; user code runs in a worker process, forked from the
supervisor or from a template that has imported the preloaded libraries. Standard library only, Python 3.10 and later.

The supervisor trusts the daemon and distrusts the worker. The worker shares its process with user code, so whatever it says is
about itself alone: it cannot break the framing, answer for another execution, or outlive a deadline.
"""

VERSION = "1.0"
