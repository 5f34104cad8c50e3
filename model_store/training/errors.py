"""Errors of the trainer, classed by what the caller does; both are model store errors, so one catch serves.

```
ModelStoreError
├─ UnusableHistory     the demand that was read cannot be learnt from
└─ TrainingFailed      the run itself went wrong: it diverged, or the exported graph differs
```
"""

from model_store.errors import ModelStoreError


class UnusableHistory(ModelStoreError):
    """History that is unreadable, too short, empty, or too large to be held.

    Operator action: mend the rows that the message names, or wait until enough buckets are closed; what
    serves goes on serving.
    """


class TrainingFailed(ModelStoreError):
    """A training run whose result must not be published.

    Operator action: train again, with another ``--seed`` if it diverged; report it if it was the parity
    of the exported graph.
    """
