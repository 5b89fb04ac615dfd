#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Whether what is written to an open file goes past the page cache from now on, in whole blocks from aligned addresses
/// (`O_DIRECT`). False when the file system cannot do what is asked for.
bool ct_file_set_direct(int descriptor, bool direct);

/// Lets two files or folders of one file system take each other's place in a single step. False, with the reason in
/// `errno`, when that cannot be done; nothing has changed then.
bool ct_file_exchange(const char *first, const char *second);

/// Blocks of memory that a thread writes, in order, while the next ones are filled. For one thread that fills.
typedef struct ct_block_writer_s *ct_block_writer;

/// Writes bytes, called on the thread. After false it is not called again.
typedef bool (*ct_block_callback)(void *context, const void *bytes, size_t count);

/// Starts a thread for `block_count` blocks of `block_bytes`, which begin at multiples of 4096 and lie in huge pages where
/// there are some. Where no thread can be started, blocks are written as they are given. NULL without memory.
ct_block_writer ct_block_writer_create(
    size_t block_bytes, size_t block_count, ct_block_callback write, void *context);
/// The next block to fill, the same one until it is given; waits for one. NULL after a failure.
void *ct_block_writer_take(ct_block_writer writer);
/// Lets the first `count` bytes of the block be written. The block is the thread's from then on.
void ct_block_writer_give(ct_block_writer writer, size_t count);
/// Whether the callback has returned false. What it did before is then seen by this thread.
bool ct_block_writer_has_failed(ct_block_writer writer);
/// Waits until all given blocks are written, or one could not be, and ends the thread. False after a failure. What the
/// callback did is then seen by this thread.
bool ct_block_writer_finish(ct_block_writer writer);
/// Ends the thread when the block that it is writing is written, and forgets the others.
void ct_block_writer_release(ct_block_writer writer);
CT_END
