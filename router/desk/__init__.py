"""What the desk does: one function a use case, the same for library, API and command line.

`Ledger` is a store with its policy. `take_in` decides what arrives; `acts` are what people do, `duties` what the desk
does by itself, `accounts` who may come in, `reads` what the API shows. Each loads what it needs through `router.store`,
decides through `router.conversation` and `router.decision`, and writes one `Change`.
"""

from __future__ import annotations

from router.desk.ledger import Ledger
from router.desk.read_in import Arrival
from router.desk.take_in import take_in

__all__ = ["Arrival", "Ledger", "take_in"]
