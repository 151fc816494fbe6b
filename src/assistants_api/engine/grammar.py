"""Answers that must have a form, enforced token by token: JSON by a schema, or a function call."""

import json
import logging
import re
import threading
from collections.abc import Collection, Sequence
from typing import Any

from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import Prompt
from assistants_api.engine import schemas
from assistants_api.engine.calls import CALL_ID, Family

log = logging.getLogger(__name__)

_MOST_COMPILED = 64
_ID = "/[a-zA-Z0-9]{9}/"
_JSON_WORD = re.compile(r'"[^"]*"|: |, |\{')


class Constraint:
    """Which tokens may come next in one answer."""

    def __init__(self, matcher: LLMatcher, *, ends_answer: bool) -> None:
        self._matcher = matcher
        self._ends_answer = ends_answer
        self._is_over = False

    def allowed(self) -> bytes | None:
        """A bit for each token, the first one lowest, set where it may come next; None when anything may."""
        if self._is_over:
            return None
        bits: bytes = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            raise EngineFailed(
                f"The form of the answer cannot be enforced: {_first_line(self._matcher.get_error())}"
            )
        return bits

    def take(self, token: int) -> None:
        """The token was chosen. A form that covers only the beginning of an answer then lets go."""
        if self._is_over:
            return
        if not self._matcher.consume_token(token):
            if not self._ends_answer:
                # Generated before it was held.
                self._is_over = True
                return
            raise EngineFailed(
                f"The form of the answer cannot be enforced: {_first_line(self._matcher.get_error())}"
            )
        if not self._ends_answer and self._matcher.is_accepting():
            self._is_over = True

    def forced(self) -> list[int]:
        """The tokens that alone may come next, cut as the tokenizer would; none where there is a choice."""
        tokens: list[int] = [] if self._is_over else self._matcher.compute_ff_tokens()
        return tokens


class Grammars:
    """Makes constraints for one tokenizer; setting it up takes seconds for a large vocabulary."""

    def __init__(self, tokenizer: Any, vocabulary: int, end_ids: Collection[int], family: Family) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = max(vocabulary, len(tokenizer))  # words without a row of the model are never said
        self._end_ids = sorted(number for number in end_ids if number < len(tokenizer))
        self._family = family
        self._lock = threading.Lock()
        self._ready: Any = None
        self._compiled: dict[str, LLMatcher] = {}  # in order of last use

    def warm(self) -> None:
        """Sets the tokenizer up, once."""
        with self._lock:
            if self._ready is None:
                self._ready = from_tokenizer(self._tokenizer, self._vocabulary, self._end_ids or None)

    def constraint(self, prompt: Prompt, opening: str, begun: Sequence[int]) -> Constraint | None:
        """The constraint of a prompt, past the tokens that were `begun`; None when all may be said."""
        rules = self._rules(prompt, opening)
        if rules is None:
            return None
        constraint = self._constraint(rules, ends_answer=not opening)
        if not opening:
            for token in begun:
                constraint.take(token)
        return constraint

    def call(self, tools: Sequence[Any], opened: str, *, parallel: bool = True) -> Constraint | None:
        """What holds a call that was `opened` to the functions; None when it goes ways of its own.

        More calls may follow it where they are `parallel`.
        """
        ways = self._calls(tools, opened, parallel=parallel)
        return self._constraint(f"start: {ways}\n", ends_answer=False) if ways else None

    def _constraint(self, rules: str, *, ends_answer: bool) -> Constraint:
        """A fresh constraint; the same rules are compiled once."""
        matcher = self._compiled.pop(rules, None) or self._compile(rules)
        self._compiled[rules] = matcher
        if len(self._compiled) > _MOST_COMPILED:
            del self._compiled[next(iter(self._compiled))]
        return Constraint(matcher.deep_copy(), ends_answer=ends_answer)

    def _compile(self, rules: str) -> LLMatcher:
        self.warm()
        matcher = LLMatcher(self._ready, LLMatcher.grammar_from_lark(rules))
        if matcher.is_error():
            raise EngineFailed(
                f"The form of the answer cannot be enforced: {_first_line(matcher.get_error())}",
                code="invalid_prompt",
            )
        return matcher

    def _rules(self, prompt: Prompt, opening: str) -> str | None:
        tools = [] if prompt.tool_choice == "none" else list(prompt.tools)
        if opening:
            parallel = prompt.parallel_tool_calls and prompt.tool_choice == "required"
            return f"start: {self._calls(tools, opening, parallel=parallel)}\n"
        form = _form_of(prompt)
        if form is None:
            return None
        if not tools:
            return f"start: {form}\n"
        return f"start: answer | call\nanswer: {form}\ncall: {self._free_call(tools)}\n"

    def _calls(self, tools: Sequence[Any], opening: str, *, parallel: bool) -> str:
        """What may follow the opening: a function's name, unless it is given, and its arguments."""
        functions = [tool["function"] for tool in tools]
        ways: list[str] = []
        for function in functions:
            whole = self._family.opening(function["name"])
            # Some put no line break behind the marker.
            for form in (whole, whole.replace("\n", "", 1)):
                if form.startswith(opening):
                    ways.append(f"{self._marked(form[len(opening) :])} {self._parameters(function)}")
                    break
        if not ways:
            return ""
        more = ""
        if parallel and self._family.between:
            others = " | ".join(f"{_words(self._body(one))} {self._parameters(one)}" for one in functions)
            more = f"({_words(self._family.between)} ({others}))*"
        return f"({' | '.join(ways)}) {more} {_words(self._family.last)}"

    def _marked(self, text: str) -> str:
        """What stands before a call's arguments, with the marks in it; an id is any."""
        inner = self._family.inner
        if not inner:
            return _words(text)
        rules: list[str] = []
        before = ""
        for piece in re.split(f"({'|'.join(map(re.escape, inner))})", text):
            if piece in inner:
                rules.append(self._mark(piece))
            elif before == CALL_ID:
                rules.append(_ID)
            elif piece:
                rules.append(_words(piece))
            before = piece
        return " ".join(rules) or _words("")

    def _mark(self, text: str) -> str:
        """A mark of the family: one token, where the tokenizer has it as such, and else its letters."""
        added = self._tokenizer.added_tokens_decoder.items()
        number = next((n for n, token in added if token.special and token.content == text), None)
        return _words(text) if number is None else f"<[{number}]>"

    def _body(self, function: Any) -> str:
        """A call up to its arguments, without what marks the first one."""
        opening = self._family.opening(function["name"])
        return opening[opening.index("{") :]

    def _free_call(self, tools: Sequence[Any]) -> str:
        """A call where an answer in a form would be as good."""
        if self._family.bare:
            # In words as the answer has them: of two longer ones, the grammar would only go on with one.
            functions = [tool["function"] for tool in tools]
            heads = (" ".join(map(_words, _JSON_WORD.findall(self._body(one)))) for one in functions)
            ways = (f"{head} {self._parameters(one)}" for head, one in zip(heads, functions, strict=True))
            return f"({' | '.join(ways)}) {_words(self._family.last)} /(.|\\n)*/"
        return f"{self._mark(self._family.markers[0])} /(.|\\n)*/"

    def _parameters(self, function: Any) -> str:
        """The rule of a function's arguments; a schema that cannot be enforced is taken as any object."""
        is_strict = bool(function.get("strict"))
        schema = schemas.of_function(function)
        trouble = schemas.problem(schema, is_strict=is_strict)
        if trouble is None:
            return schemas.rule(schema, is_strict=is_strict)
        if is_strict:
            raise EngineFailed(
                f"The parameters of function '{function['name']}' cannot be enforced: {trouble}",
                code="invalid_prompt",
            )
        log.warning("the parameters of %s are not enforced: %s", function["name"], trouble)
        return schemas.rule(schemas.ANY_OBJECT, is_strict=False)


def _form_of(prompt: Prompt) -> str | None:
    """The rule of the form that the answer must have; None for plain text."""
    match prompt.response_format:
        case {"type": "json_object"}:
            return schemas.rule(schemas.ANY_OBJECT, is_strict=False)
        case {"type": "json_schema", "json_schema": {"schema": schema, **rest}}:
            if excess := schemas.excess(schema):
                raise EngineFailed(
                    f"The form of the answer cannot be enforced: {excess}", code="invalid_prompt"
                )
            return schemas.rule(schema or {}, is_strict=bool(rest.get("strict")))
        case {"type": "json_schema"}:
            return schemas.rule({}, is_strict=False)
    return None


def _words(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else '""'


def _first_line(text: str | None) -> str:
    return (text or "unknown reason").strip().splitlines()[0][:300]
