#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "ctorch_internal.h"
#include "ctorch_records.h"
#include "sliced_crc.h"

// The part of miniz that libtorch exports without a header.
extern "C" {
struct tinfl_decompressor_tag;
tinfl_decompressor_tag* tinfl_decompressor_alloc();
void tinfl_decompressor_free(tinfl_decompressor_tag*);
int tinfl_decompress(
    tinfl_decompressor_tag*, const uint8_t* input, size_t* input_count, uint8_t* output_start, uint8_t* output_next,
    size_t* output_count, uint32_t flags);
size_t tinfl_decompress_mem_to_mem(void* output, size_t output_count, const void* input, size_t count, int flags);
}

namespace {

using caffe2::serialize::PyTorchStreamWriter;

constexpr int inflateDone = 0;
constexpr int inflateHasMoreOutput = 2;
constexpr uint32_t inflateIntoWholeBuffer = 4;

using Crc32 = SlicedCrc<0xEDB88320>;

uint32_t crc32(uint32_t crc, const uint8_t* bytes, size_t count) { return ~Crc32::update(~crc, bytes, count); }

/// A growing buffer whose memory can be handed to C.
struct Buffer {
  std::unique_ptr<uint8_t, decltype(&std::free)> bytes{nullptr, &std::free};
  size_t count = 0;
  size_t capacity = 0;

  void reserve(size_t wanted) {
    if (wanted <= capacity) return;
    auto* grown = static_cast<uint8_t*>(std::realloc(bytes.get(), wanted));
    if (!grown) throw std::bad_alloc();
    static_cast<void>(bytes.release());
    bytes.reset(grown);
    capacity = wanted;
  }
};

/// Position of the compressed data of the member that starts at `start`.
size_t skipGzipHeader(const uint8_t* bytes, size_t count, size_t start) {
  constexpr uint8_t hasChecksum = 2, hasExtra = 4, hasName = 8, hasComment = 16;
  auto need = [&](size_t end) {
    if (end > count) throw std::runtime_error("the gzip data is truncated in its header");
  };
  need(start + 10);
  if (bytes[start] != 0x1F || bytes[start + 1] != 0x8B) {
    throw std::runtime_error(start == 0 ? "not gzip data" : "unexpected bytes after the gzip data");
  }
  if (bytes[start + 2] != 8) throw std::runtime_error("the gzip data uses an unknown compression method");
  const uint8_t flags = bytes[start + 3];
  size_t position = start + 10;
  if (flags & hasExtra) {
    need(position + 2);
    position += 2 + (bytes[position] | static_cast<size_t>(bytes[position + 1]) << 8);
  }
  for (uint8_t text : {hasName, hasComment}) {
    if (!(flags & text)) continue;
    need(position + 1);
    while (bytes[position] != 0) need(++position + 1);
    ++position;
  }
  if (flags & hasChecksum) position += 2;
  need(position);
  return position;
}

/// Appends what the deflate stream at `position` holds; returns the position behind it.
size_t inflate(const uint8_t* bytes, size_t count, size_t position, Buffer& result) {
  std::unique_ptr<tinfl_decompressor_tag, decltype(&tinfl_decompressor_free)> decompressor(
      tinfl_decompressor_alloc(), &tinfl_decompressor_free);
  if (!decompressor) throw std::bad_alloc();
  const size_t start = result.count;
  while (true) {
    if (result.capacity - result.count < 4096) {
      result.reserve(std::max<size_t>(result.capacity * 2, 4 * (count - position) + 8192));
    }
    size_t taken = count - position;
    size_t made = result.capacity - result.count;
    const int status = tinfl_decompress(
        decompressor.get(), bytes + position, &taken, result.bytes.get() + start, result.bytes.get() + result.count,
        &made, inflateIntoWholeBuffer);
    position += taken;
    result.count += made;
    if (status == inflateDone) return position;
    if (status != inflateHasMoreOutput) {
      throw std::runtime_error(position == count ? "the gzip data is truncated" : "the gzip data is damaged");
    }
  }
}

}  // namespace

struct ct_record_writer_s {
  PyTorchStreamWriter writer;
  bool finished = false;
};

extern "C" {

ct_record_writer ct_record_writer_create(ct_write_callback write, void* context) {
  try {
    return new ct_record_writer_s{
        PyTorchStreamWriter([=](const void* bytes, size_t count) { return write(context, bytes, count); })};
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

bool ct_record_writer_add(ct_record_writer writer, const char* name, const void* bytes, size_t count) {
  CT_DO(writer->writer.writeRecord(name, bytes, count))
}

bool ct_record_writer_finish(ct_record_writer writer) {
  writer->finished = true;
  CT_DO(writer->writer.writeEndOfFile())
}

void ct_record_writer_release(ct_record_writer writer) {
  if (!writer) return;
  // The destructor finalizes an unfinished archive and would end the process when that throws.
  if (!writer->finished) {
    try {
      writer->writer.writeEndOfFile();
    } catch (...) {
      // The failure that matters was reported by the call before.
    }
  }
  delete writer;
}

bool ct_inflate(const uint8_t* bytes, size_t count, uint8_t* result, size_t result_count) {
  return tinfl_decompress_mem_to_mem(result, result_count, bytes, count, 0) == result_count;
}

uint8_t* ct_gunzip(const uint8_t* bytes, size_t count, size_t* result_count) {
  try {
    Buffer result;
    result.reserve(8192);
    size_t position = 0;
    do {
      position = skipGzipHeader(bytes, count, position);
      const size_t start = result.count;
      position = inflate(bytes, count, position, result);
      if (count - position < 8) throw std::runtime_error("the gzip data is truncated in its checksum");
      const size_t length = result.count - start;
      if (Crc32::littleEndian32(bytes + position) != crc32(0, result.bytes.get() + start, length) ||
          Crc32::littleEndian32(bytes + position + 4) != static_cast<uint32_t>(length)) {
        throw std::runtime_error("the gzip data is damaged: its checksum does not match");
      }
      position += 8;
    } while (position < count);
    *result_count = result.count;
    return result.bytes.release();
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

void ct_bytes_release(uint8_t* bytes) { std::free(bytes); }

uint32_t ct_crc32(uint32_t crc, const void* bytes, size_t count) {
  return crc32(crc, static_cast<const uint8_t*>(bytes), count);
}
}
