"""This package trains modules such that anybody can compute every step again.

Pipeline: a PyTorch module, data and a loss -> `torch.export` -> a rule for each operation writes it and its way back in
integers (`rules`, `context`) -> three programs: the gradient of a shard (`gradients`), an update (`optimisers`), a
prediction -> a run: a spec and a chain of records (`spec`, `folder`), whose steps are computed here or by miners
(`steps`, `machines`, `market`) -> `verify` replays them.

Building a run needs torch; going on with one, replaying it and asking the trained module do not. Data, weights and
gradients of a run on miners are public. docs/learning.md says what is proven and what is not.
"""

from inos.learn.data import Tokens
from inos.learn.entry import resume, train
from inos.learn.errors import LearnError
from inos.learn.optimisers import Optimiser, adam, sgd
from inos.learn.publishing import fetch_run, publish_run
from inos.learn.run import Run, Score, load_run
from inos.learn.verify import Verified, verify_run

__all__ = [
    "LearnError",
    "Optimiser",
    "Run",
    "Score",
    "Tokens",
    "Verified",
    "adam",
    "fetch_run",
    "load_run",
    "publish_run",
    "resume",
    "sgd",
    "train",
    "verify_run",
]
