"""Errors of the model store, classed by what the caller does; a version that fails is refused by name.

```
ModelStoreError        never raised itself
├─ VersionNotFound     no such version, or no champion yet
├─ ArtifactCorrupt     the bytes of a version are not what its manifest says, or not safe to run
├─ SpecMismatch        a sound version that cannot serve here (other bucket width, longer context)
└─ PublishRefused      a draft that must not become a version; .reasons lists all of them
```

Whoever follows the champion keeps the old one on any of these.
"""


class ModelStoreError(Exception):
    """Never raised itself; catch it to keep what is serving.

    Operator action: read the message, it ends with the next command.
    """


class VersionNotFound(ModelStoreError):
    """No version of that id, or no champion was ever promoted.

    Operator action: `model-store list` shows what there is; publish or promote one of them.
    """


class ArtifactCorrupt(ModelStoreError):
    """Files of a version are missing, changed, surplus, linked, too large, or hold what is never run.

    Operator action: `model-store verify VERSION` names the file; publish the version again and do not
    copy versions by hand.
    """


class SpecMismatch(ModelStoreError):
    """A sound version that does not fit: other bucket width, a context longer than the window, other shapes.

    Operator action: train with the worker's settings, or start the worker with the version's.
    """


class PublishRefused(ModelStoreError):
    """A draft that is not fit to become a version.

    ``reasons`` holds one sentence for each fault found.

    Operator action: mend what the reasons name and train again; nothing was stored.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__("the version was not published: " + "; ".join(reasons))
