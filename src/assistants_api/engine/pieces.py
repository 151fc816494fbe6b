"""Single tokens as people and programs read them: their text and their bytes."""

import re
from functools import lru_cache
from typing import Any

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Pieces:
    """The vocabulary of one tokenizer, a token at a time."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = {number: str(token) for number, token in tokenizer.added_tokens_decoder.items()}
        decoder = str(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", ""))
        self._byte_of = _byte_level() if "ByteLevel" in decoder else {}
        self._bytes = lru_cache(maxsize=65_536)(self._read)

    def shown(self, token: int) -> dict[str, Any]:
        """`token` and `bytes` as the chat API shows them; half a character is shown by its bytes."""
        raw = self._bytes(token)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
        return {"token": text, "bytes": list(raw)}

    def _read(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:  # the model has more rows than its tokenizer has words
            return b""
        if alone := _BYTE.fullmatch(piece):
            return bytes([int(alone[1], 16)])
        if self._byte_of and all(character in self._byte_of for character in piece):
            return bytes(self._byte_of[character] for character in piece)
        if "\u2581" in piece:
            return str(piece).replace("\u2581", " ").encode()
        return str(self._tokenizer.decode([token], skip_special_tokens=False)).encode("utf-8", "replace")


def _byte_level() -> dict[str, int]:
    """The printable character that byte-level vocabularies write for each byte, and back."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}
