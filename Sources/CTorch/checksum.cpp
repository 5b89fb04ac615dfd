#include "ctorch_checksum.h"

#include <cstring>

#include "sliced_crc.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace {

uint32_t portable(uint32_t crc, const uint8_t* bytes, size_t count) {
  return SlicedCrc<0x82F63B78>::update(crc, bytes, count);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t accelerated(uint32_t crc, const uint8_t* bytes, size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (; count > 0; --count, ++bytes) narrow = _mm_crc32_u8(narrow, *bytes);
  return narrow;
}
const bool isAccelerated = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
uint32_t accelerated(uint32_t crc, const uint8_t* bytes, size_t count) {
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    crc = __crc32cd(crc, word);
  }
  for (; count > 0; --count, ++bytes) crc = __crc32cb(crc, *bytes);
  return crc;
}
const bool isAccelerated = true;
#else
uint32_t accelerated(uint32_t crc, const uint8_t* bytes, size_t count) { return portable(crc, bytes, count); }
const bool isAccelerated = false;
#endif

}  // namespace

uint32_t ct_crc32c(uint32_t crc, const void* bytes, size_t count) {
  const auto* start = static_cast<const uint8_t*>(bytes);
  return ~(isAccelerated ? accelerated(~crc, start, count) : portable(~crc, start, count));
}

uint32_t ct_crc32c_portable(uint32_t crc, const void* bytes, size_t count) {
  return ~portable(~crc, static_cast<const uint8_t*>(bytes), count);
}
