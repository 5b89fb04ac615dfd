#include "ctorch_checksum.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace {

/// Tables for eight bytes a turn ("slicing by 8").
constexpr std::array<std::array<uint32_t, 256>, 8> makeTables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}
constexpr auto tables = makeTables();

uint32_t littleEndian32(const uint8_t* bytes) {
  return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8 | static_cast<uint32_t>(bytes[2]) << 16 |
      static_cast<uint32_t>(bytes[3]) << 24;
}

uint32_t portable(uint32_t crc, const uint8_t* bytes, size_t count) {
  for (; count >= 8; count -= 8, bytes += 8) {
    const uint32_t low = littleEndian32(bytes) ^ crc;
    const uint32_t high = littleEndian32(bytes + 4);
    crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^ tables[4][low >> 24] ^
        tables[3][high & 0xFF] ^ tables[2][high >> 8 & 0xFF] ^ tables[1][high >> 16 & 0xFF] ^ tables[0][high >> 24];
  }
  for (; count > 0; --count, ++bytes) crc = (crc >> 8) ^ tables[0][(crc ^ *bytes) & 0xFF];
  return crc;
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
