"""A language model with its tokenizer, loaded; proves whether our attention state can hold what it keeps."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoTokenizer

from assistants_api.engine import attention
from assistants_api.engine.compiled import Step
from assistants_api.engine.config import EngineConfig
from assistants_api.engine.fused import MODEL_TYPES, FusedForward
from assistants_api.engine.kv import KvBlock
from assistants_api.engine.packed import PackedLinear, can_pack_bfloat16, pack
from assistants_api.engine.pieces import Pieces
from assistants_api.engine.proof import says_the_same
from assistants_api.engine.template import Template
from assistants_api.engine.text import CLOSE, OPEN
from assistants_api.engine.weights import SMALL, CannotLoadModel, adapted, check_place, device_for, load

if TYPE_CHECKING:
    from assistants_api.engine.grammar import Grammars

log = logging.getLogger(__name__)

Forward = Callable[[KvBlock, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

_ATTENTION = {"full_attention", "sliding_attention"}


class _NotSteppable(Exception):
    """Why a model's rows cannot be stepped together."""


class Model:
    """What the scheduler needs of a model: forwards over a `KvBlock`, ids, texts and limits.

    `alone_because` says why this model answers one turn at a time, by `Alone`; None if it can do more.
    """

    def __init__(self, config: EngineConfig) -> None:
        source = str(config.model)
        check_place(source)
        settings = AutoConfig.from_pretrained(source)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
        if not self.ids("Hello"):  # some are made of nothing where there is no file for them
            raise CannotLoadModel(f"The model {source} has no tokenizer (tokenizer.json is missing).")
        self.template = Template(self.tokenizer)
        self.pieces = Pieces(self.tokenizer)
        self.device = device_for(config.device)
        is_int8 = config.dtype == "int8"
        if is_int8 and self.device.type != "cpu":
            raise CannotLoadModel("ASSISTANTS_DTYPE=int8 is for CPUs; load a quantised checkpoint elsewhere.")
        dtype = "bf16" if is_int8 else config.dtype
        if is_int8 and not can_pack_bfloat16():
            log.warning("ASSISTANTS_DTYPE=int8 is for processors with AVX-512: the model runs as with auto")
            is_int8, dtype = False, "auto"
        self.net, is_full = load(source, settings, dtype, self.device, may_widen=config.adapter is None)
        if config.adapter is not None:
            self.net = adapted(self.net, config.adapter)
        self.config = self.net.config.get_text_config()
        self.layers: int = self.config.num_hidden_layers
        self._kinds = _kinds(self.config)
        self.window = self._window(config.max_context)
        self.end_ids = self._end_ids()
        own = self.net.generation_config
        self.top_k: int = getattr(own, "top_k", None) or 0
        self.min_p: float = getattr(own, "min_p", None) or 0.0
        family = self.template.family
        marks = (*family.markers, *family.inner, *((OPEN, CLOSE) if self.template.reasons else ()))
        added = self.tokenizer.added_tokens_decoder
        special = {number for number, token in added.items() if token.special}
        self.silent_ids = (special | set(self.tokenizer.all_special_ids)) - {
            self.tokenizer.convert_tokens_to_ids(mark) for mark in marks
        }
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.token_bytes = 0  # of attention state
        self.read_rate = 2000.0  # tokens a second, of a prompt
        self._compiled: Step | None = None
        self._fused: FusedForward | None = None
        self.packed_layers = 0
        packing = partial(pack, int8=is_int8, full=is_full, for_compiler=config.is_compiled)
        self._prepare(packing, fuses=not config.is_compiled)
        self.precision = "int8" if is_int8 and self.packed_layers else str(self.dtype).removeprefix("torch.")
        self.alone_because = self._reason_to_be_alone()
        if config.is_compiled and self.alone_because is None:
            self._compile()
        self.grammars = self._grammars()

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        dtype: torch.dtype = self.net.dtype
        return dtype

    @property
    def is_small(self) -> bool:
        """One core is as quick as two."""
        return self.parameters < SMALL and self.device.type == "cpu"

    def ids(self, text: str) -> list[int]:
        """The tokens of a rendered text."""
        if not text:
            return []
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def forward(
        self, block: KvBlock, first: int, ids: torch.Tensor, positions: torch.Tensor, keep: int = 1
    ) -> torch.Tensor:
        """Logits `[rows · keep, vocabulary]` after each of the last `keep` new tokens of each row."""
        seen = block.aim(first, positions)
        with torch.inference_mode():
            if self._fused:
                return self._by_fused(self._fused, block, ids, positions, seen, keep)
            if ids.shape[1] == 1 and self._compiled and not block.runs:
                return self._by_program(self._compiled, block, ids, positions, seen)
            return self._plainly(block, ids, positions, seen, keep)

    def _plainly(
        self, block: KvBlock, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, keep: int = 1
    ) -> torch.Tensor:
        out = self.net(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self._masks(seen, positions),
            past_key_values=block,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: torch.Tensor = out.logits[:, -keep:].flatten(0, 1)
        return logits

    def _by_program(
        self, step: Step, block: KvBlock, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        return step(ids, positions, self._masks(seen, positions), block.views())

    def _by_fused(
        self,
        forward: FusedForward,
        block: KvBlock,
        ids: torch.Tensor,
        positions: torch.Tensor,
        seen: torch.Tensor,
        keep: int = 1,
    ) -> torch.Tensor:
        is_sliding = "sliding_attention" in self._kinds
        if ids.numel() == 1 and not is_sliding:
            return forward(block, ids, positions, None)
        allowed = seen & self._near(seen, positions) if is_sliding else seen
        mask = torch.zeros_like(allowed, dtype=self.dtype).masked_fill_(~allowed, float("-inf"))
        return forward(block, ids, positions, mask, keep)

    def _compile(self) -> None:
        """Decode steps as one program, where it says what the plain step says."""
        step = Step(self.net)
        if self._is_proved("compiled step", partial(self._by_program, step), reads=False):
            self._compiled = step

    def _prepare(self, packing: Callable[[Any], int], *, fuses: bool) -> None:
        """Packs weights; for the models that it is written for, with the layers of the fused forward."""
        joined = self._joined() if fuses else None
        self._pack(packing)
        if joined is None:
            return
        if self._is_proved("fused forward", partial(self._by_fused, joined), reads=True):
            self._fused = joined
        else:
            joined.undo()
            self._pack(packing)

    def _joined(self) -> FusedForward | None:
        """The forward over layers that take the place of those that it joins."""
        if self.config.model_type not in MODEL_TYPES or len(self._kinds) > 1:
            return None
        try:
            return FusedForward(self.net)
        except (AttributeError, TypeError) as error:
            log.warning("the fused forward is not used: %s", error)
            return None

    def _pack(self, packing: Callable[[Any], int]) -> None:
        if self.device.type == "cpu":
            packing(self.net)
            self.packed_layers = sum(isinstance(layer, PackedLinear) for layer in self.net.modules())

    def _is_proved(self, name: str, quick: Forward, *, reads: bool) -> bool:
        """Whether a forward gives the plain one's logits, for one token of each row after a prompt of eight.

        `reads`: it is for prompts too.
        """
        state = torch.Generator()

        def logits(rows: int, prompt: Forward, step: Forward) -> torch.Tensor:
            state.manual_seed(rows)
            ids = torch.randint(0, self.config.vocab_size, (rows, 9), generator=state).to(self.device)
            positions = torch.arange(9, device=self.device).expand(rows, 9)
            block = KvBlock(self.layers, rows=rows, length=9)
            with torch.inference_mode():
                prompt(block, ids[:, :8], positions[:, :8], block.aim(0, positions[:, :8]))
                return step(block, ids[:, 8:], positions[:, 8:], block.aim(0, positions[:, 8:]))

        return says_the_same(
            name,
            lambda rows: logits(rows, self._plainly, self._plainly),
            lambda rows: logits(rows, quick if reads else self._plainly, quick),
        )

    @property
    def is_compiled(self) -> bool:
        """Decode steps run as one program."""
        return self._compiled is not None

    @property
    def is_fused(self) -> bool:
        """Forwards run in few operations."""
        return self._fused is not None

    def _masks(self, mask: torch.Tensor, positions: torch.Tensor) -> Any:
        masks = {"full_attention": self._additive(mask)}
        if "sliding_attention" in self._kinds:
            masks["sliding_attention"] = self._additive(mask & self._near(mask, positions))
        if len(self._kinds) == 1:
            return masks[next(iter(self._kinds))]
        return masks

    def _near(self, mask: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """The places that lie within the sliding window."""
        seen = torch.arange(mask.shape[-1], device=mask.device)
        first = positions - self.config.sliding_window
        near: torch.Tensor = seen[None, None, None, :] > first[:, None, :, None]
        return near

    def _additive(self, mask: torch.Tensor) -> torch.Tensor:
        if self.config._attn_implementation == attention.NAME:
            return mask
        least = torch.finfo(self.dtype).min
        return torch.zeros_like(mask, dtype=self.dtype).masked_fill(~mask, least)

    def _reason_to_be_alone(self) -> str | None:
        try:
            self._check_architecture()
            self._check_state()
        except _NotSteppable as reason:
            return str(reason)
        return None

    def _check_architecture(self) -> None:
        if getattr(self.config, "is_encoder_decoder", False):
            raise _NotSteppable("It has an encoder and a decoder.")
        if strange := self._kinds - _ATTENTION:
            raise _NotSteppable(f"It has layers of the type {', '.join(sorted(strange))}.")

    def _check_state(self) -> None:
        """The model must say the same with our attention state as without any."""
        ids = torch.arange(3, 15, device=self.device)[None] % self.config.vocab_size
        positions = torch.arange(12, device=self.device)[None]
        block = KvBlock(self.layers, rows=1, length=12)
        try:
            with torch.inference_mode():
                plain = self.net(input_ids=ids, use_cache=False).logits[0, -1].float()
            rates: list[float] = []
            for start, end in ((0, 7), (7, 11), (11, 12)):
                began = time.monotonic()
                ours = self.forward(block, 0, ids[:, start:end], positions[:, start:end])[0].float()
                rates.append((end - start) / max(1e-6, time.monotonic() - began))
            self.token_bytes, self.read_rate = block.token_bytes, max(rates)
        except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            words = " ".join(str(error).split())[:300]
            raise _NotSteppable(f"It cannot be stepped by this engine: {words}") from error
        error_size = float((plain - ours).norm() / (plain.norm() + 1e-6))
        if not error_size < (0.02 if self.dtype == torch.float32 else 0.15):
            raise _NotSteppable(
                f"It keeps a state that this engine cannot hold: the answer is off by {error_size:.2g}."
            )

    def _grammars(self) -> "Grammars | None":
        """Forms of answers can be enforced where the library for it is installed."""
        if not self.tokenizer.is_fast or find_spec("llguidance") is None:
            return None
        from assistants_api.engine.grammar import Grammars

        return Grammars(self.tokenizer, self.config.vocab_size, self.end_ids, self.template.family)

    def _window(self, wanted: int | None) -> int:
        limit = getattr(self.config, "max_position_embeddings", None)
        found = min(n for n in (wanted, limit, 1 << 20) if n)
        return int(found)

    def _end_ids(self) -> frozenset[int]:
        """What ends an answer: the generation config, the tokenizer, and the template's turn end."""
        named = self.net.generation_config.eos_token_id
        found: set[int] = set(named if isinstance(named, Sequence) else [] if named is None else [named])
        if self.tokenizer.eos_token_id is not None:
            found.add(self.tokenizer.eos_token_id)
        vocabulary = self.tokenizer.get_vocab()
        for turn_end in ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>"):
            if turn_end in self.template.source and turn_end in vocabulary:
                found.add(vocabulary[turn_end])
        return frozenset(found)


def _kinds(config: Any) -> frozenset[str]:
    """The kinds of attention in the layers."""
    if kinds := getattr(config, "layer_types", None):
        return frozenset(kinds)
    slides = getattr(config, "sliding_window", None) is not None
    return frozenset({"sliding_attention"} if slides else {"full_attention"})
