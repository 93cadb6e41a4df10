"""What a game's 2^n values tell exactly: transforms, every index, exact orders."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.tables._exact_orders import exact_order_interactions as exact_order_interactions
    from interjax.tables._indices import Interactions as Interactions
    from interjax.tables._indices import interaction_index as interaction_index
    from interjax.tables._rounding import exact_order_rounding as exact_order_rounding
    from interjax.tables._rounding import index_rounding as index_rounding
    from interjax.tables._transforms import inverse_moebius as inverse_moebius
    from interjax.tables._transforms import inverse_or_interactions as inverse_or_interactions
    from interjax.tables._transforms import inverse_walsh_hadamard as inverse_walsh_hadamard
    from interjax.tables._transforms import moebius as moebius
    from interjax.tables._transforms import or_interactions as or_interactions
    from interjax.tables._transforms import walsh_hadamard as walsh_hadamard
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
