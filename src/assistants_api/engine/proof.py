"""Whether a quicker forward of a model says what the plain one says: asked at load, before it is used."""

import logging
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

_ROWS = (1, 2, 3)
_MOST_ERROR = {torch.float32: 1e-3}  # of the logits' size
_MOST_ERROR_ELSE = 0.1  # rounding alone makes 2 to 3 % in trained models; a wrong operation far more

Logits = Callable[[int], torch.Tensor]


def says_the_same(name: str, plain: Logits, quick: Logits) -> bool:
    """Whether both give the same logits for one, two and three rows; if not, why is logged."""
    try:
        for rows in _ROWS:
            wanted, got = plain(rows), quick(rows)
            most = _MOST_ERROR.get(wanted.dtype, _MOST_ERROR_ELSE)
            if not float((wanted - got).float().norm()) <= most * float(wanted.float().norm()) + 1e-6:
                log.warning("the %s is not used: it does not say what the plain one says", name)
                return False
    except Exception as error:  # whatever a compiler or a model of another make raises
        log.warning("the %s is not used: %s", name, " ".join(str(error).split())[:300])
        return False
    return True
