#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), continued from `crc` (0 to start). Uses the instructions for it that
/// x86-64 (SSE 4.2) and ARMv8 have, and tables elsewhere.
uint32_t ct_crc32c(uint32_t crc, const void *bytes, size_t count);
/// The same without these instructions.
uint32_t ct_crc32c_portable(uint32_t crc, const void *bytes, size_t count);
CT_END
