"""The parameters that are built into a network, and cannot change while training goes on."""

from typing import Any

from sklearn_simvae._plain import described, one_or_many


class StructureMixin:
    """Know the parameters by which the network of a fit was built."""

    _structure: tuple[str, ...] = ()
    _fitted_structure: dict[str, Any]

    def _current_structure(self) -> dict:
        sizes = {name: one_or_many(name, getattr(self, name)) for name in self._structure}
        return described(sizes, weights=False)

    def _check_structure(self, what: str = "partial_fit and warm_start go on with") -> None:
        """Raise where the parameters no longer describe the network that training goes on in."""
        now = self._current_structure()
        changed = [name for name, value in self._fitted_structure.items() if value != now[name]]
        if changed:
            raise ValueError(
                f"{what} the network that was fitted, but {', '.join(changed)} changed since. Set "
                f"{'it' if len(changed) == 1 else 'them'} back, or fit anew with warm_start=False."
            )
