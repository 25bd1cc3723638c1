"""What adapters are made of, our own and private ones alike: public, documented, and all that one needs.

| module | what it does |
|---|---|
| `settings` | a channel's table: `ChannelSettings`, `WebAddress`, `UnguessedPath`; secrets: `revealed`, `credential` |
| `signature` | is a request genuine: `same`, `timely`, `standard` (Standard Webhooks), `sign_standard`; a `Verdict` |
| `http` | calls to the provider: `Caller`, `Response`, `failure`, `throttled`, `not_now`; no loop: `no_deliveries` |
| `batch` | a raw of many parts, of which one may be odd: `each`, `reading` |
| `split` | long texts in pieces that the channel takes: `split`, `units` |
| `parts` | a reply that goes out as several messages, each once: `send_parts` |

The values that are exchanged are those of `router.ports` and `router.model`, the errors those of `router.errors`. The
contract that an adapter keeps is `router.testing.AdapterContract` (with HTTP routes: `RouteContract`).
`docs/examples/mycorp/pager.py` is a whole channel written with nothing else.
"""
