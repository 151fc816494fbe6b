"""What tests must know of the processor that they run on."""

import pytest
import torch

# oneDNN packs bfloat16 with AVX-512 or AVX-NE-CONVERT only; elsewhere all weights stay plain.
CAN_PACK: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()

needs_packing = pytest.mark.skipif(not CAN_PACK, reason="this processor cannot pack bfloat16 weights")

needs_fbgemm = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="FBGEMM is for x86 with AVX2"
)
