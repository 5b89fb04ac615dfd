#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Whether what is written to an open file goes past the page cache from now on, in whole blocks from aligned addresses
/// (`O_DIRECT`). False when the file system cannot do what is asked for.
bool ct_file_set_direct(int descriptor, bool direct);
CT_END
