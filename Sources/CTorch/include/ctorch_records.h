#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Writes an archive of named records as `torch.save` does: a zip file, uncompressed, records aligned to 64 bytes.
typedef struct ct_record_writer_s *ct_record_writer;

/// Takes `count` bytes of the archive, in order. Returns `count`, or less when they could not be written.
typedef size_t (*ct_write_callback)(void *context, const void *bytes, size_t count);

/// Starts an archive. NULL on failure.
ct_record_writer ct_record_writer_create(ct_write_callback write, void *context);
bool ct_record_writer_add(ct_record_writer writer, const char *name, const void *bytes, size_t count);
/// Writes the remaining records and the directory of the archive. Nothing can be added afterwards.
bool ct_record_writer_finish(ct_record_writer writer);
/// Releases the writer. Without `finish` what was written is no archive, and the callback may be called once more.
void ct_record_writer_release(ct_record_writer writer);

/// Decompresses raw deflate data (RFC 1951) of known size. False when it is damaged or of another size.
bool ct_inflate(const uint8_t *bytes, size_t count, uint8_t *result, size_t result_count);
/// Decompresses a gzip file (RFC 1952, one or more members) and verifies its checksums. The caller releases the result
/// with `ct_bytes_release`. NULL on failure.
uint8_t *ct_gunzip(const uint8_t *bytes, size_t count, size_t *result_count);
void ct_bytes_release(uint8_t *bytes);
/// CRC-32 as in gzip and zip, continued from `crc` (0 to start).
uint32_t ct_crc32(uint32_t crc, const void *bytes, size_t count);
CT_END
