#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// A cyclic redundancy check by tables, eight bytes a turn ("slicing by 8"), for a reflected polynomial.
template <uint32_t polynomial>
struct SlicedCrc {
  /// The remainder after `count` more bytes; neither start nor result is inverted.
  static uint32_t update(uint32_t crc, const uint8_t* bytes, size_t count) {
    for (; count >= 8; count -= 8, bytes += 8) {
      const uint32_t low = littleEndian32(bytes) ^ crc;
      const uint32_t high = littleEndian32(bytes + 4);
      crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^ tables[4][low >> 24] ^
          tables[3][high & 0xFF] ^ tables[2][high >> 8 & 0xFF] ^ tables[1][high >> 16 & 0xFF] ^ tables[0][high >> 24];
    }
    for (; count > 0; --count, ++bytes) crc = (crc >> 8) ^ tables[0][(crc ^ *bytes) & 0xFF];
    return crc;
  }

  static uint32_t littleEndian32(const uint8_t* bytes) {
    return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8 | static_cast<uint32_t>(bytes[2]) << 16 |
        static_cast<uint32_t>(bytes[3]) << 24;
  }

 private:
  using Tables = std::array<std::array<uint32_t, 256>, 8>;

  static constexpr Tables makeTables() {
    Tables tables{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0u);
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

  static const Tables tables;
};

template <uint32_t polynomial>
constinit const typename SlicedCrc<polynomial>::Tables SlicedCrc<polynomial>::tables = SlicedCrc<polynomial>::makeTables();
