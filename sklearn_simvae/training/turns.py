"""Turns of several threads that use one estimator."""

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator

from sklearn_simvae.training.modes import own_modes

# Seconds that a new reader waits for a thread that wants to change something.
_PATIENCE = 1.0
_LOCK = threading.Lock()
_turns: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Turns:
    """A lock that many threads can hold to read, or one thread to change the object.

    A thread that holds the lock may take it again.

    Examples
    --------
    >>> from sklearn_simvae.training.turns import Turns
    >>> turns = Turns()
    >>> with turns.changing(), turns.reading():
    ...     print("A thread does not wait for itself.")
    A thread does not wait for itself.
    """

    def __init__(self) -> None:
        # Held by the one thread that trains; others may read until it changes the object.
        self.training = threading.RLock()
        self._condition = threading.Condition()
        self._readers: dict[int, int] = {}
        self._changer: int | None = None
        self._n_waiting = 0
        self._n_readers_waiting = 0
        # Number of readers that waited for the last change, and go before the next one.
        self._n_invited = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read together with other threads, after those that wait to change the object."""
        me = threading.get_ident()

        def may_read() -> bool:
            return self._changer in (None, me)

        with self._condition:
            if me not in self._readers and self._changer != me:
                self._n_readers_waiting += 1
                try:
                    # Only for a while: the waiting thread may depend on this one.
                    self._condition.wait_for(
                        lambda: may_read() and (self._n_invited or not self._n_waiting), _PATIENCE
                    )
                    self._condition.wait_for(may_read)
                finally:
                    self._n_readers_waiting -= 1
                    self._n_invited = max(0, self._n_invited - 1)
                    self._condition.notify_all()
            self._readers[me] = self._readers.get(me, 0) + 1
        try:
            yield
        finally:
            with self._condition:
                self._readers[me] -= 1
                if not self._readers[me]:
                    del self._readers[me]
                    self._condition.notify_all()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change the object, while no other thread reads."""
        me = threading.get_ident()
        with self.training:
            outermost = self._changer != me
            if outermost:
                with self._condition:
                    self._n_waiting += 1
                    try:
                        self._condition.wait_for(
                            lambda: not (self._readers.keys() - {me} or self._n_invited)
                        )
                    finally:
                        self._n_waiting -= 1
                    self._changer = me
            try:
                yield
            finally:
                if outermost:
                    with self._condition:
                        self._changer = None
                        self._n_invited = self._n_readers_waiting
                        self._condition.notify_all()


def turns_of(estimator) -> Turns:
    """Return the turns of an estimator, which are no part of its state.

    Parameters
    ----------
    estimator : object
        Object that threads share.

    Returns
    -------
    turns : Turns
        Turns, the same object during the life of the estimator.

    Examples
    --------
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.training.turns import turns_of
    >>> estimator = SimVAE()
    >>> turns_of(estimator) is turns_of(estimator)
    True
    """
    with _LOCK:
        if estimator not in _turns:
            _turns[estimator] = Turns()
        return _turns[estimator]


def forget_turns() -> None:
    """Release, in a forked process, the turns of threads that only its parent has."""
    global _LOCK
    _LOCK = threading.Lock()
    _turns.clear()


def reads(method: Callable) -> Callable:
    """Decorate a method of a fitted estimator that many threads may call at a time.

    It waits while a fit changes the network in place. Global modes of torch are reset during the
    call, see :func:`~sklearn_simvae.training.modes.own_modes`.

    Parameters
    ----------
    method : callable
        Method that does not change the estimator.

    Returns
    -------
    method : callable
        Method that waits for its turn.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.turns import reads
    >>> class Doubler:
    ...     @reads
    ...     def double(self, x):
    ...         return 2 * torch.tensor(x)
    >>> with torch.device("meta"):
    ...     Doubler().double(2.0)
    tensor(4.)
    """

    @functools.wraps(method)
    def in_turn(self, *args, **kwargs):
        with turns_of(self).reading(), own_modes():
            return method(self, *args, **kwargs)

    return in_turn
